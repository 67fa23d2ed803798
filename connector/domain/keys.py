"""Opaque ids and external keys.

Ids of profiles, cases and interactions are UUIDv5(installation namespace, natural key): the same event gives the same
key for ever, and no handle, phone or row number can be read from it. They are also the external keys in the CRM.
"""

from __future__ import annotations

import secrets
from uuid import UUID, uuid5

SEPARATOR = "\x1f"


def derive_id(namespace: UUID, what: str, *natural: str | None) -> str:
    """The id of a thing from its natural key; ``what`` keeps kinds of things apart."""
    return str(uuid5(namespace, SEPARATOR.join((what, *("" if part is None else part for part in natural)))))


def random_id(prefix: str) -> str:
    """A new random id such as ``lnk_3fT…`` (128 bits), for things without a natural key."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"

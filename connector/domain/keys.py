"""Opaque ids and external keys.

Ids of profiles, cases and interactions are UUIDv5(installation namespace, natural key): the same event gives the same
key for ever, and no handle, phone or row number can be read from it. They are also the external keys in the CRM.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from hashlib import sha1
from uuid import UUID

SEPARATOR = "\x1f"


def derive_id(namespace: UUID, what: str, *natural: str | None) -> str:
    """The id of a thing from its natural key; ``what`` keeps kinds of things apart.

    A UUIDv5 written out by hand: ingestion makes several for every event, and uuid.uuid5 takes four times as long.
    """
    name = SEPARATOR.join((what, *("" if part is None else part for part in natural)))
    digest = bytearray(sha1(_bytes(namespace) + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=8)
def _bytes(namespace: UUID) -> bytes:
    return namespace.bytes


def random_id(prefix: str) -> str:
    """A new random id such as ``lnk_3fT…`` (128 bits), for things without a natural key."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"

"""Addresses and numbers that senders tell of an account apart from its messages: a forum's user record, a contact card.

Of each the newest stands, whatever the order of arrival. What came before the account asked to be forgotten is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST = 320
"""Characters of the longest e-mail address (RFC 3696, erratum 1690); what is longer is none."""

NOTHING = "{}"

_FORGOTTEN = "forgotten"
_NAMES = ("email", "phone", "confirmed_email", "confirmed_phone")


def with_told(known: str, extra: Mapping[str, Any], at: int) -> str:
    """The addresses known, as JSON text, with those that an event of this time (epoch milliseconds) tells of.

    An address is confirmed where the sender says that it checked whose it is: as ``confirmed_email``, or as ``email``
    and ``phone`` beside ``verified_contact``. Of two tellings of the same time the greater stands.
    """
    said = with_confirmed(extra)
    told = {name: value for name in _NAMES if (value := _stated(said.get(name))) is not None}
    if not told:
        return known
    registers: dict[str, Any] = json.loads(known)
    if at <= registers.get(_FORGOTTEN, -1):
        return known
    for name, value in told.items():
        registers[name] = max(registers.get(name, [-1, ""]), [at, value])
    return _packed(registers)


def forgotten(known: str, at: int) -> str:
    """What is left of them when the account asked at this time to be forgotten; what was told before never returns."""
    registers: dict[str, Any] = json.loads(known)
    until = max(at, registers.pop(_FORGOTTEN, -1))
    return _packed({_FORGOTTEN: until, **{name: told for name, told in registers.items() if told[0] > until}})


def tellings(known: str) -> list[tuple[int, dict[str, str]]]:
    """Each address with the time it was told, under its name: email, phone, confirmed_email, confirmed_phone."""
    return [(told[0], {name: told[1]}) for name, told in json.loads(known).items() if name != _FORGOTTEN]


def with_confirmed(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came along with an event, the address and number of a verified contact as confirmed ones too."""
    if extra.get("verified_contact") is not True:
        return extra
    vouched = (("confirmed_email", "email"), ("confirmed_phone", "phone"))
    return {**extra, **{name: extra.get(name) or extra.get(told) for name, told in vouched}}


def _stated(value: object) -> str | None:
    stated = value.strip() if isinstance(value, str) else ""
    return stated if 0 < len(stated) <= LONGEST else None


def _packed(registers: Mapping[str, Any]) -> str:
    return json.dumps(registers, sort_keys=True, separators=(",", ":"))

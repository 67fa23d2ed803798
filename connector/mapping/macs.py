"""The parts that all signature schemes share: the MAC, the constant-time comparison, the time window."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.errors import SignatureInvalid
from connector.mapping.schemes import Scheme
from connector.mapping.times import TimeUnreadable, parse_time

KeySet = Callable[[], Mapping[str, Any]]
"""Gives the signing keys of an OpenID provider by key id; fetching them is the caller's business."""

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verified:
    """An authentic request.

    ``delivery_id`` is the provider's id of the delivery, only where the signature covers it.
    ``single_use`` says that the id alone is the replay key, because the signature does not cover the body (Mailgun).
    """

    delivery_id: str | None = None
    single_use: bool = False


def digest(scheme: Scheme, secret: str | bytes, signed: bytes) -> str:
    """The MAC as the provider writes it: hashed, encoded, after its prefix."""
    key = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    mac = hmac.digest(key, signed, scheme.hash)
    return scheme.prefix + (mac.hex() if scheme.encoding == "hex" else b64encode(mac).decode("ascii"))


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def any_same(given: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether any given text equals any expected one; every pair is compared, so timing tells nothing."""
    found = False
    for one in given:
        for other in expected:
            found |= same(one, other)
    return found


def signed_bytes(scheme: Scheme, time: str, body: bytes) -> bytes:
    """The bytes that the provider signs."""
    before, _, after = scheme.signed.partition("{body}")
    return before.replace("{time}", time).encode("ascii") + body + after.encode("ascii")


def check_window(stated: str, now: datetime, tolerance: int, time_format: str = "epoch") -> None:
    """Nothing when the stated time is close enough to now, past or future; SignatureInvalid otherwise."""
    if time_format == "epoch" and not _SECONDS.fullmatch(stated):
        raise SignatureInvalid("The signed time is not a number of seconds.")
    try:
        moment = parse_time(stated, ("iso",) if time_format == "iso" else ("epoch_s",))
    except TimeUnreadable as error:
        raise SignatureInvalid(f"The signed time cannot be read: {error}.") from None
    if abs((now - moment).total_seconds()) > tolerance:
        raise SignatureInvalid(
            f"The signed time is more than {tolerance} seconds away; check this machine's clock, or it is a replay."
        )

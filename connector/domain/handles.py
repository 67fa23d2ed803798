"""Handles as people say and paste them: read into what the network shows, or refused."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

_SHAPES = {
    "x": re.compile(r"[A-Za-z0-9_]{1,50}"),  # new ones have at most 15; some older ones are longer
    "instagram": re.compile(r"[A-Za-z0-9._]{1,30}"),
    "threads": re.compile(r"[A-Za-z0-9._]{1,30}"),
    "telegram": re.compile(r"[A-Za-z0-9_]{4,32}"),
    "tiktok": re.compile(r"[A-Za-z0-9._]{2,24}"),
    "youtube": re.compile(r"[\w.·-]{3,30}"),
    "facebook": re.compile(r"[A-Za-z0-9.]{5,50}"),
    "bluesky": re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE),
    "mastodon": re.compile(r"[A-Za-z0-9_.-]{1,30}@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    "reddit": re.compile(r"[A-Za-z0-9_-]{3,20}"),
}
_ANY = re.compile(r"[^\s@/\\]{1,100}")
_BEFORE_NAME = frozenset({"user", "u", "c", "channel", "in", "profile"})


def read_handle(network: str, text: str) -> str | None:
    """The handle without @ from what was typed or from a pasted profile address; None if it cannot be one there."""
    cleaned = unicodedata.normalize("NFKC", text).strip()
    if any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in cleaned):
        return None
    if "/" in cleaned:
        cleaned = _from_address(network, cleaned)
    cleaned = cleaned.removeprefix("@")
    shape = _SHAPES.get(network, _ANY)
    return cleaned if shape.fullmatch(cleaned) else None


def host_of(text: str) -> str | None:
    """The host of a pasted profile address, without www. or m.; None where the text is no address."""
    if "/" not in text:
        return None
    try:
        host = urlsplit(text.strip() if "://" in text else f"https://{text.strip()}").hostname or ""
    except ValueError:
        return None
    return re.sub(r"^(www|m|mobile)\.", "", host) or None


def _from_address(network: str, address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
    except ValueError:
        return ""
    steps = [unquote(step) for step in parts.path.split("/") if step]
    while len(steps) > 1 and steps[0].lower() in _BEFORE_NAME:
        steps.pop(0)
    if not steps or steps[0].lower().endswith(".php"):  # facebook.com/profile.php?id=… has no handle
        return ""
    if network == "mastodon" and "@" not in steps[0].removeprefix("@"):
        return f"{steps[0].removeprefix('@')}@{parts.hostname}"
    return steps[0]

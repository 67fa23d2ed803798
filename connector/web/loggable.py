"""What of an address may be logged: its own words and ids of ours, and nothing that somebody else put into it."""

from __future__ import annotations

import re

WORDS = frozenset(
    {
        "", "admin", "api", "ask", "c", "cases", "consent", "contacts", "deletions", "deliveries", "drop", "end",
        "evidence", "healthz", "history", "hold", "inbox", "interactions", "invalidate", "keys", "links", "login",
        "logout", "m", "metrics", "openapi.json", "outbox", "peek", "people", "permits", "preview", "privacy",
        "profiles", "readyz", "records", "reject", "release", "reports", "retry", "revoke", "search", "shelf",
        "sources", "static", "suggestions", "users", "v1", "webhooks", "withdraw", "wording",
    }
)  # fmt: skip
"""Every fixed part of an address that is served; a test holds them against the routes."""

_ID = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a profile, a case, an interaction
    r"|(ev|key|lnk|usr)_[\w-]{22}"
    r"|003[0-9A-Za-z]{12}([A-Z0-5]{3})?"  # a contact, by its Salesforce Id
)
_PLAIN = {name: re.compile(r"[\w-]{1,40}") for name in ("reports", "webhooks")}
_PLAIN |= {name: re.compile(r"[0-9]{1,19}") for name in ("deliveries", "outbox")}
_PLAIN |= {"static": re.compile(r"[\w.-]{1,60}")}
"""What may follow these words: names that an admin chose, numbers of rows, files of ours."""

_TOKEN_FOLLOWS = frozenset({"c", "m", "deletions"})


def loggable(path: str) -> str:
    """The path with everything blotted out that may be a token, or a name, address or number of a person."""
    parts = path.split("/")
    return "/".join(part if _is_plain(before, part) else "…" for before, part in zip(["", *parts], parts, strict=False))


def _is_plain(before: str, part: str) -> bool:
    if before in _TOKEN_FOLLOWS:
        return False
    after = _PLAIN.get(before)
    return part in WORDS or bool(_ID.fullmatch(part)) or (after is not None and bool(after.fullmatch(part)))

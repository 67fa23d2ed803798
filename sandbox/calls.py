"""What kind of call a request is: for counting, and for aiming faults."""

from __future__ import annotations

import re

_DATA = re.compile(r"/services/data(?:/v(?P<version>[\d.]+))?(?P<rest>/.*)?")
_ROW = re.compile(r"/sobjects/[^/]+(?:/(?P<second>[^/]+))?(?:/(?P<third>.+))?")


LOGIN = "login"
"""The class of token requests: faults can be aimed at it by name, and it is no API call."""

CLASSES = (
    LOGIN, "query", "limits", "deploy", "describe", "deleted", "updated", "record_read", "record_write", "upsert",
    "collections", "composite", "composite_batch", "meta",
)  # fmt: skip
"""Every class there is, as they are counted and as faults can be aimed at them."""


def classify(method: str, path: str) -> tuple[str, bool]:
    """The class of a request and whether it may change records; "" for what is no API call."""
    if path.rstrip("/") == "/services/oauth2/token":
        return LOGIN, False
    found = _DATA.fullmatch(path.rstrip("/"))
    if found is None:
        return "", False
    rest = (found["rest"] or "").lower()
    for prefix, kind in (("/query", "query"), ("/limits", "limits"), ("/metadata", "deploy"), ("/sobjects", "")):
        if rest.startswith(prefix):
            return (kind, False) if kind else _sobject(method, rest)
    if rest.startswith("/composite/sobjects"):
        return "collections", method != "GET" and not (method == "POST" and rest.count("/") > 2)
    if rest.startswith("/composite/batch"):
        return "composite_batch", True
    return ("composite", True) if rest.startswith("/composite") else ("meta", False)


def _sobject(method: str, rest: str) -> tuple[str, bool]:
    found = _ROW.fullmatch(rest)
    second = found["second"] if found else None
    if found is None or second == "describe" or (second is None and method == "GET"):
        return "describe", False
    if second in {"deleted", "updated"} and not found["third"]:
        return second, False
    if method in {"GET", "HEAD"}:
        return "record_read", False
    return ("upsert" if found["third"] else "record_write"), True

"""Which addresses may be configured."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def parts_of(url: str) -> SplitResult | None:
    """The parts of an address with a host, or None for anything else."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is none
        return None
    return parts if whole and not any(letter.isspace() for letter in url) else None


def is_web_address(url: str) -> bool:
    """Whether it is an http or https address with a host."""
    parts = parts_of(url)
    return parts is not None and parts.scheme in ("http", "https")


def allowed_crm_host(url: str) -> bool:
    """Whether an address may be called as the CRM: https at *.salesforce.com, or loopback (the sandbox)."""
    parts = parts_of(url)
    if parts is None:
        return False
    host = parts.hostname or ""
    if host in LOOPBACK:
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and (host == "salesforce.com" or host.endswith(".salesforce.com"))


def has_port(url: str) -> bool:
    """Whether the port of an address, where it gives one, is one; a socket's address has neither host nor port."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def is_bare(url: str) -> bool:
    """Whether an address is nothing but scheme, host and port."""
    parts = parts_of(url)
    return parts is not None and not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)

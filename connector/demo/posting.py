"""Posts a body as its provider would: signed with the source's own secret, to the source's own address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import requests

from connector.flows.sources import Source
from connector.mapping.signing import Draft, Signed, sign

TIMEOUT = (5, 30)


def signed_request(
    source: Source, public_url: str, body: bytes, content_type: str, now: datetime, delivery_id: str = ""
) -> Signed:
    """The request with its provider's proof; Misconfigured where only the provider can sign."""
    draft = Draft(f"{public_url}/webhooks/{source.name}", body, content_type, delivery_id)
    return sign(source.scheme, draft, source.secrets[0], now)


def post(
    session: requests.Session,
    base: str,
    public_url: str,
    signed: Signed,
    content_type: str,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """The server's answer; ``base`` is where it listens, which a proxy may hide behind the public address."""
    address = base + signed.url.removeprefix(public_url)
    sent = {"Content-Type": content_type, **(headers or {}), **signed.headers}
    return session.post(address, data=signed.body, headers=sent, timeout=TIMEOUT, allow_redirects=False)

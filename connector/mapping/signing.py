# ruff: noqa: ARG001 - the signers stand in one table, so they share one signature
"""The other side of the signatures: signs as the provider would, for `connector replay`, the demo and the tests."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest as hmac_digest
from urllib.parse import urlencode

from connector.domain.events import format_time
from connector.errors import Misconfigured
from connector.mapping.forms import MULTIPART, URLENCODED, form_pairs
from connector.mapping.macs import digest, signed_bytes
from connector.mapping.schemes import Scheme, scheme_problem, schemes
from connector.mapping.twilio import BODY_HASH, mac
from connector.mapping.verifiers import STANDARD, symmetric_keys


@dataclass(frozen=True, slots=True)
class Signed:
    """What to send: a few schemes put their proof into the address or the body instead of a header."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that is not signed yet."""

    url: str
    body: bytes
    content_type: str = "application/json"
    delivery_id: str = ""


def sign(name: str, draft: Draft, secret: str, now: datetime) -> Signed:
    """The draft signed as the provider signs it; Misconfigured for a scheme that only the provider can sign."""
    problem = scheme_problem(name)
    if problem is not None:
        raise Misconfigured(str(problem))
    scheme = schemes().known[name]
    signer = SIGNERS.get(scheme.kind)
    if signer is None:
        raise Misconfigured(f"A {name} request can only be signed by the provider, who holds the private key.")
    return signer(scheme, draft, secret, now)


def _hmac(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    seconds = str(int(now.timestamp()))
    stated = (format_time(now.astimezone(UTC)) or "") if scheme.time_format == "iso" else seconds
    value = digest(scheme, secret, signed_bytes(scheme, stated, draft.body))
    headers = {scheme.header: value}
    if scheme.time_key:
        headers = {scheme.header: f"{scheme.time_key}={stated},{scheme.mac_key}={value}"}
    elif scheme.time_header:
        headers[scheme.time_header] = stated
    return _with_type(draft, headers)


def _with_type(draft: Draft, headers: dict[str, str]) -> Signed:
    return Signed(draft.url, {"content-type": draft.content_type, **headers}, draft.body)


def _standard(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    keys = symmetric_keys([secret])
    if not keys:
        raise Misconfigured("The secret is not whsec_ with base64; only such a one can sign.")
    delivery_id = draft.delivery_id or "msg_" + sha256(draft.body).hexdigest()[:24]
    stated = str(int(now.timestamp()))
    value = digest(STANDARD, keys[0], f"{delivery_id}.{stated}.".encode() + draft.body)
    names = {"webhook-id": delivery_id, "webhook-timestamp": stated, "webhook-signature": value}
    return _with_type(draft, names)


def _twilio(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    url, params = draft.url, []
    if draft.content_type == URLENCODED:
        params = form_pairs(draft.body, URLENCODED)
    else:
        url += ("&" if "?" in url else "?") + f"{BODY_HASH}={sha256(draft.body).hexdigest()}"
    headers = {"content-type": draft.content_type, scheme.header: mac(scheme, secret, url, params)}
    if scheme.settings_header:
        headers[scheme.settings_header] = "key=replay,algorithm=HMAC_SHA256"
    return Signed(url, headers, draft.body)


def _mailgun(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    kind = draft.content_type if draft.content_type.startswith(MULTIPART) else URLENCODED
    kept = [pair for pair in form_pairs(draft.body, kind) if pair[0] not in {"timestamp", "token", "signature"}]
    stated, token = str(int(now.timestamp())), sha256(draft.body).hexdigest()[:50]
    signature = digest(scheme, secret, (stated + token).encode())
    body = urlencode([*kept, ("timestamp", stated), ("token", token), ("signature", signature)]).encode()
    return Signed(draft.url, {"content-type": URLENCODED}, body)


def _signed_request(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    payload = urlsafe_b64encode(draft.body).rstrip(b"=")
    signature = urlsafe_b64encode(hmac_digest(secret.encode(), payload, "sha256")).rstrip(b"=")
    body = urlencode({scheme.field: (signature + b"." + payload).decode()}).encode()
    return Signed(draft.url, {"content-type": URLENCODED}, body)


def _token_header(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    return _with_type(draft, {scheme.header: secret})


def _body_token(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    try:
        data = json.loads(draft.body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Misconfigured("The secret of this provider stands inside the body, which must be a JSON object.")
    body = json.dumps(data | {scheme.field: secret}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Signed(draft.url, {"content-type": draft.content_type}, body)


def _basic(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    return _with_type(draft, {"authorization": "Basic " + b64encode(secret.encode()).decode()})


def _url_token(scheme: Scheme, draft: Draft, secret: str, now: datetime) -> Signed:
    separator = "&" if "?" in draft.url else "?"
    url = f"{draft.url}{separator}{urlencode({scheme.field: secret})}"
    return Signed(url, {"content-type": draft.content_type}, draft.body)


SIGNERS: dict[str, Callable[[Scheme, Draft, str, datetime], Signed]] = {
    "hmac": _hmac,
    "standard_webhooks": _standard,
    "twilio": _twilio,
    "mailgun": _mailgun,
    "signed_request": _signed_request,
    "token_header": _token_header,
    "body_token": _body_token,
    "basic_auth": _basic,
    "url_token": _url_token,
}

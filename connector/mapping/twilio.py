# ruff: noqa: ARG001 - the verifiers stand in one table, so they share one signature
"""Twilio's signature: over the public address, plus the form's fields or the hash of a JSON body in the query."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from urllib.parse import SplitResult, urlsplit, urlunsplit

from connector.errors import SignatureInvalid
from connector.mapping.forms import URLENCODED, form_pairs
from connector.mapping.macs import Verified, any_same
from connector.mapping.request import RawRequest
from connector.mapping.schemes import Scheme

BODY_HASH = "bodySHA256"
_PORTS = {"https": 443, "http": 80}


def verify_twilio(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by Twilio's rules; a hash in the query always binds the body: JSON cannot pass as an empty form."""
    given = request.header(scheme.header)
    _check_settings(scheme, request)
    params = _params(request)
    expected = [mac(scheme, secret, url, params) for secret in secrets for url in url_forms(request.url)]
    if not any_same([given], expected):
        raise SignatureInvalid(
            "The signature does not fit; check the auth token and that the public URL is the one set at Twilio."
        )
    return Verified()


def _check_settings(scheme: Scheme, request: RawRequest) -> None:
    """A shared-key signature must say so; a plain one must not, or the two could be mistaken for each other."""
    if not scheme.settings_header:
        if request.values("x-twilio-webhooks-signature-settings"):
            raise SignatureInvalid("This is signed with a shared key; set `verification` to twilio_shared_key.")
        return
    pairs = dict(part.strip().partition("=")[::2] for part in request.header(scheme.settings_header).split(","))
    if pairs.get("algorithm") != "HMAC_SHA256":
        raise SignatureInvalid("The shared-key signature names another algorithm than HMAC_SHA256.")


def _params(request: RawRequest) -> list[tuple[str, str]]:
    hashes = [value for key, value in request.query if key == BODY_HASH]
    if hashes:
        body_hash = sha256(request.body).hexdigest()
        if len(hashes) != 1 or not compare_digest(hashes[0].encode(), body_hash.encode()):
            raise SignatureInvalid("The body does not have the hash that the signed address states.")
        return []
    if not request.body:
        return []
    if request.content_type != URLENCODED:
        raise SignatureInvalid(f"A body that is no form needs {BODY_HASH} in the address.")
    return form_pairs(request.body, URLENCODED)


def mac(scheme: Scheme, secret: str, url: str, params: Sequence[tuple[str, str]]) -> str:
    """The signature that Twilio sends for this address and these form fields."""
    signed = url + "".join(key + value for key, value in sorted(set(params)))
    key = secret.encode("utf-8", "surrogatepass")
    return b64encode(hmac_digest(key, signed.encode("utf-8", "surrogatepass"), scheme.hash)).decode("ascii")


def url_forms(url: str) -> list[str]:
    """The address as configured, without its port and with the default one: Twilio signs any of the three."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]
    default = _PORTS.get(parts.scheme)
    bare = _with_host(parts, _host(parts))
    explicit = _with_host(parts, f"{_host(parts)}:{port or default}") if default else url
    return list(dict.fromkeys((url, bare, explicit)))


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition(":")[0] if parts.port else parts.netloc.removesuffix(":")


def _with_host(parts: SplitResult, host: str) -> str:
    return urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))

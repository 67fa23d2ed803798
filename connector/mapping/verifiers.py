# ruff: noqa: ARG001 - the verifiers stand in one table, so they share one signature
"""One function for each kind of scheme: request, live secrets and time in; proof or SignatureInvalid out."""

from __future__ import annotations

import binascii
import hmac
import json
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from connector.errors import SignatureInvalid
from connector.mapping.forms import form_pairs
from connector.mapping.macs import Verified, any_same, check_window, digest, same, signed_bytes
from connector.mapping.request import RawRequest
from connector.mapping.schemes import Scheme
from connector.mapping.twilio import verify_twilio

WRONG = "The signature does not fit the body; check the secret, and that no proxy changes the body."
_TELEGRAM = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)


def verify_hmac(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by an HMAC in a header, with the signed time where the provider sends one."""
    given, stated = request.header(scheme.header), ""
    if scheme.time_key:
        given, stated = _split(given, scheme)
    elif scheme.time_header:
        stated = request.header(scheme.time_header)
    signed = signed_bytes(scheme, stated, request.body)
    if not any_same([given], [digest(scheme, secret, signed) for secret in secrets]):
        raise SignatureInvalid(WRONG)
    if stated:
        check_window(stated, now, scheme.tolerance, scheme.time_format)
    return Verified()


def _split(given: str, scheme: Scheme) -> tuple[str, str]:
    pairs = [part.strip().partition("=") for part in given.split(",")]
    macs = [value for key, _, value in pairs if key == scheme.mac_key]
    times = [value for key, _, value in pairs if key == scheme.time_key]
    if len(macs) != 1 or len(times) != 1 or not macs[0] or not times[0]:
        raise SignatureInvalid(f"The header {scheme.header} needs one {scheme.time_key}= and one {scheme.mac_key}=.")
    return macs[0], times[0]


def verify_standard(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by Standard Webhooks, v1 (HMAC) and v1a (Ed25519); the message id is signed, so it is the delivery id."""
    family = "webhook" if request.values("webhook-signature") else "svix"
    message_id = request.header(f"{family}-id")
    stated = request.header(f"{family}-timestamp")
    entries = request.header(f"{family}-signature").split(" ")
    signed = f"{message_id}.{stated}.".encode("ascii") + request.body
    macs = [entry for entry in entries if entry.startswith("v1,")]
    found = any_same(macs, [digest(STANDARD, key, signed) for key in symmetric_keys(secrets)])
    for entry in entries:
        found |= entry.startswith("v1a,") and _ed25519(secrets, entry[4:], signed)
    if not found:
        raise SignatureInvalid(WRONG)
    check_window(stated, now, scheme.tolerance)
    return Verified(delivery_id=message_id)


STANDARD = Scheme("standard_webhooks", "hmac", encoding="base64", prefix="v1,")
"""The HMAC half of Standard Webhooks."""


def symmetric_keys(secrets: Sequence[str]) -> list[bytes]:
    """The HMAC keys among Standard Webhooks secrets; public keys and unreadable ones are left out."""
    keys = (_base64(secret.removeprefix("whsec_")) for secret in secrets if not secret.startswith("whpk_"))
    return [key for key in keys if key]


def _ed25519(secrets: Sequence[str], signature: str, signed: bytes) -> bool:
    mac = _base64(signature)
    for secret in secrets:
        key = _base64(secret.removeprefix("whpk_")) if secret.startswith("whpk_") else None
        if mac and key and len(key) == 32:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(mac, signed)
            except InvalidSignature:
                continue
            return True
    return False


def _base64(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def verify_mailgun(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof over time and token only: the body is not covered, so the token may be used once."""
    pairs = form_pairs(request.body, next(iter(request.values("content-type")), ""))
    stated, token, given = (_only(pairs, name) for name in ("timestamp", "token", "signature"))
    signed = (stated + token).encode("utf-8", "surrogatepass")
    if not any_same([given], [digest(scheme, secret, signed) for secret in secrets]):
        raise SignatureInvalid(WRONG)
    check_window(stated, now, scheme.tolerance)
    return Verified(delivery_id=token, single_use=True)


def _only(pairs: Sequence[tuple[str, str]], name: str) -> str:
    values = [value for key, value in pairs if key == name]
    if len(values) != 1 or not values[0]:
        raise SignatureInvalid(f"The form needs exactly one field `{name}`.")
    return values[0]


def verify_ecdsa(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by ECDSA over P-256; the configured "secret" is the provider's public key."""
    stated, mac = request.header(scheme.time_header), _base64(request.header(scheme.header))
    signed = stated.encode("ascii") + request.body
    if mac is None or not any(_ecdsa(secret, mac, signed) for secret in secrets):
        raise SignatureInvalid(WRONG)
    check_window(stated, now, scheme.tolerance)
    return Verified()


def _ecdsa(public_key: str, mac: bytes, signed: bytes) -> bool:
    key = load_ecdsa_key(public_key)
    if key is None:
        return False
    try:
        key.verify(mac, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def load_ecdsa_key(text: str) -> EllipticCurvePublicKey | None:
    """The P-256 public key from PEM or base64 DER; None when the text is neither."""
    der = _base64("".join(text.split()))
    try:
        pem = text.encode("utf-8", "surrogatepass")
        key = load_pem_public_key(pem) if "BEGIN" in text else load_der_public_key(der or b"")
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def verify_signed_request(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by Meta's signed_request: the algorithm is pinned, an expired one is refused."""
    pairs = form_pairs(request.body, next(iter(request.values("content-type")), ""))
    mac_text, _, payload = _only(pairs, scheme.field).partition(".")
    if not mac_text.isascii() or not payload.isascii():
        raise SignatureInvalid(WRONG)
    mac = _base64url(mac_text)
    found = False
    for secret in secrets:
        expected = hmac.digest(secret.encode("utf-8", "surrogatepass"), payload.encode("ascii"), "sha256")
        found |= hmac.compare_digest(mac, expected)
    if not found:
        raise SignatureInvalid(WRONG)
    _check_request(_json_object(_base64url(payload)), now, scheme.tolerance)
    return Verified()


def _check_request(data: dict[str, Any], now: datetime, tolerance: int) -> None:
    if str(data.get("algorithm", "")).upper() != "HMAC-SHA256":
        raise SignatureInvalid("The signed request names another algorithm than HMAC-SHA256.")
    issued, expires = (_seconds(data.get(key)) for key in ("issued_at", "expires"))
    if issued and issued > now.timestamp() + tolerance:
        raise SignatureInvalid("The signed request was issued in the future; check this machine's clock.")
    if expires and expires < now.timestamp() - tolerance:
        raise SignatureInvalid("The signed request has expired.")


def _seconds(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _base64url(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        raise SignatureInvalid("The signed request is not base64url.") from None


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise SignatureInvalid("The signed part is not JSON.") from None
    if not isinstance(value, dict):
        raise SignatureInvalid("The signed part is not a JSON object.")
    return value


def verify_token_header(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by a shared token in a header."""
    given = request.header(scheme.header)
    if not _TELEGRAM.fullmatch(given) or not any_same([given], secrets):
        raise SignatureInvalid("The secret token is wrong; it must be the one given when the webhook was set.")
    return Verified()


def verify_body_token(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by a shared token inside the JSON body; the body is read for nothing else."""
    token = _json_object(request.body).get(scheme.field)
    if not isinstance(token, str) or not any_same([token], secrets):
        raise SignatureInvalid("The secret inside the body is missing or wrong.")
    return Verified()


def verify_basic(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by HTTP basic authentication; the secret is `user:password` as it stands in the webhook's address."""
    kind, _, code = request.header("authorization").partition(" ")
    given = _base64(code.strip())
    if kind.lower() != "basic" or given is None:
        raise SignatureInvalid("Basic authentication is missing; put https://user:password@… into the webhook address.")
    if not any_same([given.decode("utf-8", "surrogateescape")], secrets):
        raise SignatureInvalid("The user or password is wrong; it must be `user:password` of the source's secret.")
    return Verified()


def verify_url_token(scheme: Scheme, request: RawRequest, secrets: Sequence[str], now: datetime) -> Verified:
    """Proof by a secret in the webhook's address, for senders that sign nothing and send no password."""
    given = [value for key, value in request.query if key == scheme.field]
    if len(given) != 1 or not any(same(given[0], secret) for secret in secrets):
        raise SignatureInvalid(f"The address lacks the right ?{scheme.field}=…; paste it from `connector check`.")
    return Verified()


VERIFIERS: dict[str, Callable[[Scheme, RawRequest, Sequence[str], datetime], Verified]] = {
    "hmac": verify_hmac,
    "standard_webhooks": verify_standard,
    "twilio": verify_twilio,
    "mailgun": verify_mailgun,
    "ecdsa": verify_ecdsa,
    "signed_request": verify_signed_request,
    "token_header": verify_token_header,
    "body_token": verify_body_token,
    "basic_auth": verify_basic,
    "url_token": verify_url_token,
}
"""How each kind is checked; OpenID Connect (oidc) needs fetched keys and has a module of its own."""


def secret_fault(scheme: Scheme, secret: str) -> tuple[str, str] | None:
    """What is wrong with a secret and the cure, or None: read at `connector check`, long before a request comes."""
    rules: dict[str, tuple[bool, str, str]] = {
        "standard_webhooks": (
            bool(symmetric_keys([secret])) or (secret.startswith("whpk_") and len(_base64(secret[5:]) or b"") == 32),
            "The secret is neither whsec_ with base64 nor whpk_ with an Ed25519 key.",
            "Copy it from the sender's page again.",
        ),
        "ecdsa": (
            load_ecdsa_key(secret) is not None,
            "This is no P-256 public key.",
            "Copy the verification key from the provider's event settings.",
        ),
        "token_header": (
            _TELEGRAM.fullmatch(secret) is not None,
            "The token may hold only A-Z, a-z, 0-9, _ and -, at most 256.",
            "Set the webhook again with such a token.",
        ),
        "basic_auth": (":" in secret, "The secret is not `user:password`.", "Write both with a colon between."),
        "oidc": (
            len(secret.split()) == 2,
            "The secret is not `audience service-account-email`.",
            "Write both with a space between.",
        ),
    }
    fine, what, cure = rules.get(scheme.kind, (bool(secret), "The secret is empty.", "Copy it from the provider."))
    return None if fine else (what, cure)

"""Google Pub/Sub's proof: an OpenID Connect token as bearer, checked with keys that the caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import jwt

from connector.errors import SignatureInvalid
from connector.mapping.macs import KeySet, Verified, same
from connector.mapping.request import RawRequest

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
TOLERANCE = 300


def verify_oidc(request: RawRequest, expectations: Sequence[str], now: datetime, keys: KeySet | None) -> Verified:
    """Proof by a token that Google signed for the configured `audience service-account-email`."""
    if keys is None:
        raise SignatureInvalid("The provider's keys are not available; this source needs a key set.")
    kind, _, token = request.header("authorization").partition(" ")
    if kind.lower() != "bearer":
        raise SignatureInvalid("The bearer token is missing; turn on authentication of the push subscription.")
    claims = _claims(token.strip(), keys)
    _check_times(claims, now)
    if not any(_fits(claims, each) for each in expectations):
        raise SignatureInvalid("The token is for another audience or service account than the configured one.")
    return Verified()


def _claims(token: str, keys: KeySet) -> dict[str, Any]:
    try:
        key = keys().get(str(jwt.get_unverified_header(token).get("kid", "")))
        if key is None:
            raise SignatureInvalid("The token is signed with a key that the provider does not publish.")
        found: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=list(ISSUERS),
            # Times and audience are checked below: by the injected clock, and against several expectations.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise SignatureInvalid(f"The token is not valid ({type(error).__name__}).") from None
    return found


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int) or expires < now.timestamp() - TOLERANCE:
        raise SignatureInvalid("The token has expired; check this machine's clock.")
    if isinstance(issued, int) and issued > now.timestamp() + TOLERANCE:
        raise SignatureInvalid("The token was issued in the future; check this machine's clock.")


def _fits(claims: dict[str, Any], expectation: str) -> bool:
    audience, _, email = expectation.partition(" ")
    stated = claims.get("aud"), claims.get("email")
    if not all(isinstance(each, str) for each in stated) or claims.get("email_verified") is not True or not email:
        return False
    return same(str(stated[0]), audience) and same(str(stated[1]), email.strip())

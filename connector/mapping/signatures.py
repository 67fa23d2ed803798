"""Who sent this request: every published signature scheme as a pure function over the raw bytes.

Whatever is missing, repeated, malformed or not configured ends in SignatureInvalid: nothing is let in by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.errors import ConnectorError, Problem, SignatureInvalid
from connector.mapping.macs import KeySet, Verified
from connector.mapping.oidc import verify_oidc
from connector.mapping.request import RawRequest
from connector.mapping.schemes import scheme_problem, schemes
from connector.mapping.verifiers import VERIFIERS, secret_fault

__all__ = ["KeySet", "RawRequest", "Verified", "scheme_problem", "secret_problem", "verify"]


def verify(
    name: str, request: RawRequest, secrets: Sequence[str], now: datetime, *, keys: KeySet | None = None
) -> Verified:
    """What is proven about an authentic request; SignatureInvalid for every other one.

    ``secrets`` may hold two: the new and the previous one both work while a secret is being changed.
    """
    problem = scheme_problem(name)
    if problem is not None:
        raise SignatureInvalid(f"{problem.what} {problem.cure}")
    usable = [secret for secret in secrets if secret]
    if not usable:
        raise SignatureInvalid("No secret is configured for this source; add one under [sources] in connector.toml.")
    scheme = schemes().known[name]
    try:
        if scheme.kind == "oidc":
            return verify_oidc(request, usable, now, keys)
        return VERIFIERS[scheme.kind](scheme, request, usable, now)
    except SignatureInvalid:
        raise
    except ConnectorError as error:
        raise SignatureInvalid(error.message) from error


def secret_problem(name: str, secret: str) -> Problem | None:
    """What is wrong with a configured secret for this scheme, with the cure; None when it can be used."""
    scheme = schemes().known.get(name)
    if scheme is None:
        return scheme_problem(name)
    fault = secret_fault(scheme, secret)
    return Problem(f"secret for {name}", *fault) if fault else None

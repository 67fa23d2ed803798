"""Google's signing keys, fetched and kept for an hour: the one effect behind the verification of Pub/Sub pushes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jwt import PyJWKClient

ADDRESS = "https://www.googleapis.com/oauth2/v3/certs"
KEPT_SECONDS = 3600
TIMEOUT_SECONDS = 10


@cache
def _client() -> PyJWKClient:
    return PyJWKClient(ADDRESS, cache_jwk_set=True, lifespan=KEPT_SECONDS, timeout=TIMEOUT_SECONDS)


def google_keys() -> Mapping[str, Any]:
    """The public keys by key id; raises jwt.PyJWTError when they cannot be fetched, which refuses the request."""
    return {str(each.key_id): each.key for each in _client().get_jwk_set().keys}

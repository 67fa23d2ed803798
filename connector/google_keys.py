"""Google's signing keys, fetched and kept for an hour: the one effect behind the verification of Pub/Sub pushes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import Any

from jwt import PyJWKClient, PyJWKSet, PyJWTError

ADDRESS = "https://www.googleapis.com/oauth2/v3/certs"
KEPT_SECONDS = 3600
TIMEOUT_SECONDS = 10
ASK_AGAIN_SECONDS = 30


class GoogleKeys:
    """The public keys by key id, for any number of threads.

    Whoever posts to a source can make it ask Google, proven or not: one thread asks at a time, and after a failure
    nobody for half a minute.
    """

    def __init__(self, fetch: Callable[[], PyJWKSet], clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._failed: PyJWTError | None = None
        self._failed_at = 0.0

    def __call__(self) -> Mapping[str, Any]:
        """The keys; raises jwt.PyJWTError when they cannot be had, which refuses the request."""
        with self._lock:
            if self._failed is not None and self._clock() - self._failed_at < ASK_AGAIN_SECONDS:
                raise self._failed
            try:
                found = self._fetch()
            except PyJWTError as error:
                self._failed, self._failed_at = error, self._clock()
                raise
            self._failed = None
            return {str(each.key_id): each.key for each in found.keys}


google_keys = GoogleKeys(
    PyJWKClient(ADDRESS, cache_jwk_set=True, lifespan=KEPT_SECONDS, timeout=TIMEOUT_SECONDS).get_jwk_set
)
"""The keys of this process; nothing is fetched until the first delivery asks for them."""

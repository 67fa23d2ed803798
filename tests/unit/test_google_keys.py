"""Google's keys: fetched once, and not asked for again and again while Google is away."""

from __future__ import annotations

from typing import Any

import pytest
from jwt import PyJWKClientError, PyJWKSet

from connector.google_keys import ASK_AGAIN_SECONDS, GoogleKeys

KEY = {"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "e": "AQAB", "n": "u" * 342}


class Google:
    """Stands for Google: counts who asks, and may be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.away = False

    def fetch(self) -> PyJWKSet:
        """The published keys."""
        self.asked += 1
        if self.away:
            raise PyJWKClientError("no route")
        return PyJWKSet.from_dict({"keys": [KEY]})


@pytest.fixture
def google() -> Google:
    """A Google that answers."""
    return Google()


@pytest.fixture
def keys(google: Google) -> GoogleKeys:
    """Its keys."""
    return GoogleKeys(google.fetch, lambda: google.now)


def refused(keys: GoogleKeys) -> Any:
    """Asks for keys that cannot be had."""
    with pytest.raises(PyJWKClientError):
        keys()


def test_the_keys_are_found_by_their_id(keys: GoogleKeys) -> None:
    assert list(keys()) == ["k1"]


def test_nobody_asks_again_for_half_a_minute_after_a_failure(google: Google, keys: GoogleKeys) -> None:
    google.away = True
    for _ in range(100):
        refused(keys)
    assert google.asked == 1
    google.now += ASK_AGAIN_SECONDS
    google.away = False
    assert list(keys()) == ["k1"]
    assert google.asked == 2

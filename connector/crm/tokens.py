"""Tokens of the org: one login at a time however many threads ask, and none after the grant has proved dead."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jwt

from connector.crm.classify import WireFault, as_error
from connector.crm.wire import CrmSession
from connector.errors import ConnectorError, CrmLoginFailed, CrmRateLimited, CrmUnavailable, Misconfigured
from connector.settings import CrmSettings, allowed_crm_host

DEAD_AFTER = 3
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
_DEAD_GRANT = frozenset({400, 401, 403})
_PASSING = frozenset({"unknown_error", "server_error", "temporarily_unavailable"})
"""Errors with which the token endpoint asks to be tried again, though by a status that blames the client."""

TOO_MANY_LOGINS = 300.0
WRONG_CLOCK = 60.0
"""Seconds between this machine's clock and the org's from which a signed assertion may be refused for its time."""

CURES = {
    "invalid_client_id": "CONNECTOR_CRM_CLIENT_ID is not the consumer key of an app in this org.",
    "invalid_client": "CONNECTOR_CRM_CLIENT_SECRET is not the app's present secret.",
    "invalid_grant": "Set the run-as user of the External Client App (client credentials), or pre-authorise "
    "CONNECTOR_CRM_USERNAME, give the app the scope refresh_token and check CONNECTOR_CRM_AUDIENCE (JWT bearer).",
    "app_not_found": "Set CONNECTOR_CRM_AUDIENCE to the org's My Domain.",
    "unsupported_grant_type": "Switch the flow on in the External Client App's policies.",
    "inactive_user": "Activate the run-as user.",
    "inactive_org": "The org is locked, suspended or has expired: only its owner or Salesforce can open it again.",
    "invalid_app_access": "Let the run-as user use the External Client App: by its profile or permission set.",
    "invalid_scope": "Give the External Client App the scope api.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, the address of its org, and the generation that tells it from the one before."""

    value: str = field(repr=False)
    instance_url: str
    generation: int


class TokenProvider:
    """The present token; client credentials by Basic, or JWT bearer (RS256) where a private key is set."""

    def __init__(
        self,
        settings: CrmSettings,
        session: CrmSession,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._session = session
        self._monotonic = monotonic
        self._lock = Lock()
        self._token: Token | None = None
        self._generation = 0
        self._refusals = 0
        self._closed_until = 0.0
        self._last_words = ""

    def current(self) -> Token:
        """The token in use; signs in when there is none yet. Raises CrmLoginFailed or CrmUnavailable."""
        token = self._token
        if token is not None:
            return token
        with self._lock:
            return self._token or self._sign_in()

    def renew(self, stale: Token) -> Token:
        """A newer token than the one the org refused; of many threads with the same stale one, one signs in."""
        with self._lock:
            if self._token is not None and self._token.generation != stale.generation:
                return self._token
            self._token = None
            return self._sign_in()

    def refuse(self, fresh: Token) -> CrmLoginFailed:
        """Notes that the org refuses even a fresh token; the error to raise."""
        with self._lock:
            if self._token is not None and self._token.generation == fresh.generation:
                self._token = None
            return self._refused("the org refuses the token it has just given")

    def accepted(self) -> None:
        """Notes that the org took the token: refusals before it no longer count."""
        self._refusals = 0

    def _sign_in(self) -> Token:
        wait = self._closed_until - self._monotonic()
        if wait > 0:
            raise CrmLoginFailed(self._message(self._last_words), retry_after=wait)
        known = self._session.ahead()
        try:
            body = self._ask()
        except WireFault as fault:
            # An assertion is good for minutes by the org's clock, and only its first answer tells how that goes.
            was_wrong = abs(self._session.ahead() - known) > WRONG_CLOCK
            if not (was_wrong and self._settings.private_key):
                raise self._failed(fault) from fault
            body = self._ask_again()
        self._token = self._read(body)
        return self._token

    def _ask(self) -> Any:
        answer = self._session.request("POST", self._settings.token_url, **self._grant())
        try:
            return answer.json()
        except ValueError as error:
            raise CrmUnavailable("The CRM's token endpoint did not answer with JSON.") from error

    def _ask_again(self) -> Any:
        try:
            return self._ask()
        except WireFault as fault:
            raise self._failed(fault) from fault

    def _failed(self, fault: WireFault) -> ConnectorError:
        if fault.code == "rate_limit_exceeded":
            return CrmRateLimited(
                "The CRM takes no more logins of this user for now (rate_limit_exceeded).",
                retry_after=fault.retry_after or TOO_MANY_LOGINS,
            )
        if fault.code in _PASSING:
            words = f"{fault.code}: {fault.message}".rstrip(": ")
            return CrmUnavailable(f"The CRM's token endpoint is busy ({words}).", retry_after=fault.retry_after)
        if fault.status not in _DEAD_GRANT:
            return as_error(fault, "signing in", "check CONNECTOR_CRM_URL and CONNECTOR_CRM_TOKEN_URL")
        cure = CURES.get(fault.code, "Check the client id, its secret or key, and the run-as user.")
        return self._refused(f"{fault.code or fault.status}: {fault.message}. {cure}")

    def _read(self, body: Any) -> Token:
        if not isinstance(body, dict) or not isinstance(body.get("access_token"), str):
            raise CrmUnavailable("The CRM's token endpoint answered without a token.")
        instance = str(body.get("instance_url") or self._settings.url)
        if not allowed_crm_host(instance):
            raise Misconfigured("The token endpoint names an instance outside salesforce.com; check the token URL.")
        self._session.reach(instance)
        self._generation += 1
        return Token(body["access_token"], instance, self._generation)

    def _grant(self) -> dict[str, Any]:
        settings = self._settings
        if settings.private_key:
            claims = {"iss": settings.client_id, "sub": settings.username, "aud": settings.audience}
            try:
                expires = int(time.time() + self._session.ahead()) + 180
                assertion = jwt.encode({**claims, "exp": expires}, settings.private_key, "RS256")
            except (ValueError, TypeError, jwt.PyJWTError) as error:
                raise Misconfigured("CONNECTOR_CRM_PRIVATE_KEY is not an RSA private key in PEM form.") from error
            return {"data": {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}}
        basic = b64encode(f"{settings.client_id}:{settings.client_secret}".encode()).decode("ascii")
        return {"data": {"grant_type": "client_credentials"}, "headers": {"Authorization": f"Basic {basic}"}}

    def _refused(self, words: str) -> CrmLoginFailed:
        # Retrying a dead grant floods the token endpoint and can lock the user out: after three, only time helps.
        self._refusals += 1
        self._last_words = words
        pause = 5.0 * self._refusals
        if self._refusals >= DEAD_AFTER:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._refusals - DEAD_AFTER))
            self._closed_until = self._monotonic() + pause
        return CrmLoginFailed(self._message(words), retry_after=pause)

    @staticmethod
    def _message(words: str) -> str:
        return f"The CRM refused the login ({words.rstrip('. ')})."

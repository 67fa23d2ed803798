"""The one HTTP session to the org: time limits, an allow-list of hosts, no redirects, and the budget from every answer.

simple-salesforce builds addresses and follows query pages on top of it; retries, refresh and errors are not left to it
(measured: a lasting 401 recursed through 976 logins, and headers were lost on the retry).
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from connector.crm.budget import Meter
from connector.crm.classify import read_fault
from connector.errors import CrmUnavailable, Misconfigured
from connector.settings import allowed_crm_host

CLIENT = "social-crm-connector"
POOL = 32
TOKEN_PATH = "/services/oauth2/"  # noqa: S105 - an address, not a secret


class LoopbackAdapter(HTTPAdapter):
    """Speaks plain http to a sandbox on this machine, though simple-salesforce writes https into every address."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer to the request, asked by plain http."""
        if request.url and request.url.startswith("https://"):
            request.url = "http://" + request.url.removeprefix("https://")
        return super().send(request, *args, **kwargs)


class CrmSession(requests.Session):
    """A session that may only talk to the org; shared by all threads of the process, for it keeps no cookies."""

    def __init__(self, url: str, meter: Meter, timeout: tuple[float, float]) -> None:
        super().__init__()
        self._meter = meter
        self._timeout = timeout
        # A ~/.netrc entry for the host would otherwise replace the bearer token.
        self.auth = _keep_authorization
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("https://", HTTPAdapter(pool_maxsize=POOL))
        self.mount("http://", HTTPAdapter(pool_maxsize=POOL))
        self.reach(url)

    def reach(self, url: str) -> None:
        """Makes an address reachable that is plain http: a sandbox on this machine, named in https by its client."""
        parts = urlsplit(url)
        prefix = f"https://{parts.netloc}/"
        if parts.scheme == "http" and prefix not in self.adapters:
            self.mount(prefix, LoopbackAdapter(pool_maxsize=POOL))

    def ahead(self) -> float:
        """Seconds by which the org's clock is ahead of this machine's, as its last answer told."""
        return self._meter.ahead()

    def request(  # type: ignore[override]  # one of thirty arguments of requests is ours to decide
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """The org's answer of status 2xx; anything else raises: WireFault for an answer, CrmUnavailable for none."""
        if not allowed_crm_host(url):
            raise Misconfigured(
                f"{urlsplit(url).hostname} is not an address of the org; set CONNECTOR_CRM_URL to its My Domain."
            )
        path = urlsplit(url).path
        if path.startswith(TOKEN_PATH):
            self._meter.count_login()
        else:
            self._meter.count_call(method, path)
        try:
            answer = super().request(
                method, url, headers=_own(headers or {}), timeout=self._timeout, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            host = urlsplit(url).netloc.rpartition("@")[2]
            raise CrmUnavailable(
                f"The CRM at {host} did not answer ({_why(error)}): check the network and CONNECTOR_CRM_URL."
            ) from error
        self._meter.read_header(answer.headers.get("Sforce-Limit-Info"))
        self._meter.read_date(answer.headers.get("Date"))
        if answer.status_code >= 300:
            raise read_fault(answer.status_code, _json(answer), answer.headers.get("Retry-After"))
        return answer


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    # simple-salesforce always asks for indented JSON: a fifth more bytes, and slower to parse.
    kept = {name: value for name, value in headers.items() if name != "X-PrettyPrint"}
    return {"Sforce-Call-Options": f"client={CLIENT}", **kept}


def _json(answer: requests.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return _why_not_trusted(str(error))
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy that HTTPS_PROXY or HTTP_PROXY names does not let it through"
    if isinstance(error, requests.Timeout):
        return "timed out"
    if "NameResolutionError" in repr(error):
        return "no such name is known"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer was cut off"
    return "the connection failed or was closed"


def _why_not_trusted(words: str) -> str:
    if "certificate has expired" in words:
        return "its certificate has expired, or this machine's clock is wrong"
    if "not valid for" in words or "match" in words:
        return "its certificate is for another host"
    return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to the authority that issued it"

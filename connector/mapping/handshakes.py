"""The challenges by which a provider makes sure that a webhook address is ours.

Whatever is reflected goes out as JSON or plain text, never as HTML.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import digest as hmac_digest

from connector.errors import HandshakeRefused, Problem
from connector.mapping.macs import same
from connector.mapping.yamlfile import suggest

_REFLECTED = re.compile(r"[\x21-\x7e]{1,1000}", re.ASCII)
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back: status, content type and body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the source's settings say: its secrets, the verify token pasted at the provider, the topics we asked for."""

    secrets: Sequence[str] = ()
    verify_token: str | None = None
    topics: Sequence[str] = ()


def answer_handshake(name: str, query: Pairs, expected: Expected) -> Answer:
    """The answer to a GET challenge; HandshakeRefused when it is not the one this source waits for."""
    answer = GET_HANDSHAKES.get(name)
    if answer is None:
        raise HandshakeRefused("This source takes no challenge by GET; its provider verifies otherwise.")
    return answer(query, expected)


def answer_posted(name: str, body: bytes, expected: Expected) -> Answer | None:
    """The answer to a challenge inside a POST whose signature was already checked; None for an ordinary delivery."""
    answer = POST_HANDSHAKES.get(name)
    if answer is None:
        return None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer(data, expected) if isinstance(data, dict) else None


def handshake_problem(name: str) -> Problem | None:
    """Why a mapping cannot name this handshake, with the cure; None when it can."""
    known = [*GET_HANDSHAKES, *POST_HANDSHAKES]
    if name in known:
        return None
    return Problem(f"handshake {name}", "There is no handshake of this name.", suggest(name, known))


def deletion_answer(status_url: str, code: str) -> Answer:
    """The answer that Meta demands to a data deletion request: where to see its state, and its code."""
    return _json({"url": status_url, "confirmation_code": code})


def _one(query: Pairs, name: str) -> str:
    values = [value for key, value in query if key == name]
    if len(values) != 1 or not _REFLECTED.fullmatch(values[0]):
        raise HandshakeRefused(f"The challenge needs exactly one `{name}` of at most 1000 plain characters.")
    return values[0]


def _secret(expected: Expected) -> bytes:
    secret = next((each for each in expected.secrets if each), None)
    if secret is None:
        raise HandshakeRefused("No secret is configured for this source; add one under [sources] in connector.toml.")
    return secret.encode("utf-8", "surrogatepass")


def _json(value: object) -> Answer:
    return Answer(200, "application/json", json.dumps(value, separators=(",", ":")).encode("ascii"))


def _text(value: str) -> Answer:
    return Answer(200, "text/plain; charset=utf-8", value.encode("ascii"))


def _x_crc(query: Pairs, expected: Expected) -> Answer:
    token = _one(query, "crc_token")
    mac = hmac_digest(_secret(expected), token.encode("ascii"), "sha256")
    return _json({"response_token": "sha256=" + b64encode(mac).decode("ascii")})


def _meta(query: Pairs, expected: Expected) -> Answer:
    if _one(query, "hub.mode") != "subscribe":
        raise HandshakeRefused("Only hub.mode=subscribe is answered.")
    if not expected.verify_token or not same(_one(query, "hub.verify_token"), expected.verify_token):
        raise HandshakeRefused
    return _text(_one(query, "hub.challenge"))


def _linkedin(query: Pairs, expected: Expected) -> Answer:
    code = _one(query, "challengeCode")
    mac = hmac_digest(_secret(expected), code.encode("ascii"), "sha256")
    return _json({"challengeCode": code, "challengeResponse": mac.hex()})


def _websub(query: Pairs, expected: Expected) -> Answer:
    if _one(query, "hub.mode") not in {"subscribe", "unsubscribe"}:
        raise HandshakeRefused("The hub did not confirm the subscription; ask for it again.")
    if _one(query, "hub.topic") not in expected.topics:
        raise HandshakeRefused("We did not ask for this topic; add it to the source's topics if it is wanted.")
    if expected.verify_token and not same(_one(query, "hub.verify_token"), expected.verify_token):
        raise HandshakeRefused
    return _text(_one(query, "hub.challenge"))


def _zoom(data: dict[str, object], expected: Expected) -> Answer | None:
    payload = data.get("payload")
    if data.get("event") != "endpoint.url_validation" or not isinstance(payload, dict):
        return None
    token = _one([("plainToken", str(payload.get("plainToken", "")))], "plainToken")
    mac = hmac_digest(_secret(expected), token.encode("ascii"), "sha256")
    return _json({"plainToken": token, "encryptedToken": mac.hex()})


def _slack(data: dict[str, object], _expected: Expected) -> Answer | None:
    if data.get("type") != "url_verification":
        return None
    return _json({"challenge": _one([("challenge", str(data.get("challenge", "")))], "challenge")})


GET_HANDSHAKES: dict[str, Callable[[Pairs, Expected], Answer]] = {
    "x_crc": _x_crc,
    "meta": _meta,
    "linkedin": _linkedin,
    "websub": _websub,
}
POST_HANDSHAKES: dict[str, Callable[[dict[str, object], Expected], Answer | None]] = {"zoom": _zoom, "slack": _slack}

"""The only work before a sender is answered: is it authentic, and is it on disk.

An authentic delivery within the size cap is stored and answered 200 whatever is in it; the worker reads it later. Here
a body is parsed only where the proof itself stands in it. The server and the Flask page both call this one function.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter

from connector.domain.clock import Clock
from connector.domain.events import to_millis
from connector.errors import (
    ConnectorError,
    EncodingRefused,
    HandshakeRefused,
    PayloadTooLarge,
    Refused,
    SignatureInvalid,
    SourceUnknown,
    StoreBusy,
)
from connector.flows.sources import Source
from connector.mapping import handshakes
from connector.mapping.macs import Verified
from connector.mapping.request import RawRequest
from connector.mapping.signatures import verify
from connector.store.accept import DepthCap, GroupCommit, NewDelivery, Outcome
from connector.store.unit_of_work import Store

__all__ = ["PATH", "Answer", "Authentic", "Outcome", "Receiver", "confirmation_code", "delivery_key"]

log = structlog.get_logger()

PATH = "/webhooks/"
CODE_LENGTH = 32
RETRY_AFTER_SECONDS = 5
STATUS: Mapping[type[ConnectorError], int] = {
    SignatureInvalid: 401, HandshakeRefused: 403, SourceUnknown: 404, PayloadTooLarge: 413, EncodingRefused: 415,
    StoreBusy: 503,
}  # fmt: skip

_received = Counter(
    "connector_deliveries", "Requests to /webhooks by source and what became of them", ["source", "end"]
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the sender."""

    status: int
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Authentic:
    """A delivery that is proven and not stored yet."""

    source: Source
    delivery: NewDelivery


class Receiver:
    """Takes deliveries and challenges for the configured sources, from any number of threads."""

    def __init__(
        self,
        store: Store,
        sources: Mapping[str, Source],
        clock: Clock,
        public_url: str,
        inbox_cap: int = 100_000,
        *,
        on_stored: Callable[[], None] | None = None,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._commit = GroupCommit(store, cap=DepthCap(inbox_cap), on_stored=on_stored)

    def close(self) -> None:
        """Finishes what is in flight and gives back the store's connections; nothing is taken afterwards."""
        self._commit.close()

    def _url(self, source_name: str, query: str) -> str:
        # What the provider signs is the address that was pasted there, whatever Host header came with the request.
        return f"{self._public_url}{PATH}{source_name}{'?' + query if query else ''}"

    @property
    def paths(self) -> tuple[str, ...]:
        """What the paths of webhooks begin with: the plain one, and the one below the public URL's own path."""
        below = urlsplit(self._public_url).path
        return (PATH, below + PATH) if below else (PATH,)

    def cap(self, source_name: str) -> int:
        """The largest body that is taken for a source; 0 for an unknown one."""
        source = self._sources.get(source_name)
        return source.cap if source else 0

    def may_wait(self, source_name: str) -> bool:
        """Whether proving a delivery of this source may wait for keys from outside, so that it needs its own thread."""
        source = self._sources.get(source_name)
        return source is not None and source.keys is not None

    def refusal(self, source_name: str, content_length: int | None, *, encoded: bool) -> Answer | None:
        """The answer that can be given before the body is read, or None where it must be read."""
        try:
            _check_head(self._source(source_name), content_length or 0, encoded=encoded)
        except Refused as error:
            return _refusal(source_name, error)
        return None

    def receive(
        self, source_name: str, *, method: str, query: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> Answer:
        """The answer to a delivery or a challenge; a 2xx to a delivery says that it is on disk.

        ``query`` is as it came, undecoded; ``headers`` keep repeated lines.
        """
        found = self.examine(source_name, method=method, query=query, headers=headers, body=body)
        if isinstance(found, Answer):
            return found
        try:
            return self.answer(found, self._commit.accept(found.delivery))
        except StoreBusy as error:
            return self.answer(found, error)

    def examine(
        self, source_name: str, *, method: str, query: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> Answer | Authentic:
        """The first half of ``receive``, without the store: an answer, or an authentic delivery still to be stored."""
        request = RawRequest(method, self._url(source_name, query), tuple(headers), body)
        try:
            source = self._source(source_name)
            if request.method == "GET":
                return self._challenge(source, request)
            return self._authentic(source, request)
        except SignatureInvalid as error:
            return _refusal(source_name, error, {"WWW-Authenticate": self._source(source_name).asks_for})
        except Refused as error:
            return _refusal(source_name, error)

    def store(self, found: Authentic, done: Callable[[Outcome], None]) -> None:
        """The second half: stores it and tells ``done``, in another thread, once it is on disk or could not be."""
        self._commit.submit(found.delivery, done)

    def answer(self, found: Authentic, outcome: Outcome) -> Answer:
        """What the sender hears of the outcome."""
        if isinstance(outcome, StoreBusy):
            return _refusal(found.source.name, outcome)
        end = "stored" if outcome else "duplicate"
        if found.source.asks_deletion:
            code = confirmation_code(found.delivery.key)
            status_url = f"{self._public_url}/privacy/deletions/{code}"
            return _count(found.source.name, end, handshakes.deletion_answer(status_url, code))
        return _count(found.source.name, end, found.source.received)

    def _source(self, name: str) -> Source:
        source = self._sources.get(name)
        if source is None:
            raise SourceUnknown
        return source

    def _challenge(self, source: Source, request: RawRequest) -> Answer:
        answer = handshakes.answer_handshake(source.mapping.handshake or "", request.query, source.expected)
        return _count(source.name, "challenge", answer)

    def _authentic(self, source: Source, request: RawRequest) -> Answer | Authentic:
        _check_head(source, len(request.body), encoded=_is_encoded(request.values("content-encoding")))
        now = self._clock()
        proof = verify(source.scheme, request, source.secrets, now, keys=source.keys)
        challenge = _posted_challenge(source, request)
        if challenge is not None:
            return _count(source.name, "challenge", challenge)
        delivery = NewDelivery(
            source=source.name,
            key=delivery_key(request.body, proof),
            received_at=to_millis(now),
            body=request.body,
            content_type=_plain(next(iter(request.values("content-type")), "")),
            headers=json.dumps(source.kept_headers(request)) if source.mapping.headers else "{}",
        )
        return Authentic(source, delivery)


def delivery_key(body: bytes, proof: Verified) -> str:
    """The key under which a delivery is stored once per source.

    It is the SHA-256 of the body, with the provider's delivery id only where the signature covers it; where the
    signature covers the id and not the body, of the id alone.
    """
    digest = sha256(b"" if proof.single_use else body)
    if proof.delivery_id is not None:
        digest.update(b"\x00" + proof.delivery_id.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def confirmation_code(key: str) -> str:
    """The code by which the customer asks after a data deletion; the delivery's key begins with it."""
    return key[:CODE_LENGTH]


def _check_head(source: Source, length: int, *, encoded: bool) -> None:
    if encoded:
        raise EncodingRefused
    if length > source.cap:
        raise PayloadTooLarge


def _is_encoded(values: list[str]) -> bool:
    return any(value.strip() for value in values)


def _posted_challenge(source: Source, request: RawRequest) -> handshakes.Answer | None:
    name = source.mapping.handshake
    if name not in handshakes.POST_HANDSHAKES:
        return None
    try:
        return handshakes.answer_posted(name, request.body, source.expected)
    except HandshakeRefused:
        return None  # authentic but no challenge we know: stored like any other delivery


@lru_cache(maxsize=256)
def _plain(value: str) -> str:
    return "".join(letter for letter in value[:200] if letter.isascii() and letter.isprintable())


def _count(source_name: str, end: str, answer: handshakes.Answer) -> Answer:
    _received.labels(source_name, end).inc()
    return Answer(answer.status, answer.content_type, answer.body)


def _refusal(source_name: str, error: Refused | StoreBusy, more: Mapping[str, str] | None = None) -> Answer:
    unknown = isinstance(error, SourceUnknown)
    name = "" if unknown else source_name
    status = STATUS.get(type(error), 400)
    _received.labels(name, error.code).inc()
    log.warning("delivery_refused", source=name, code=error.code, status=status, reason=error.message)
    headers = dict(more or {})
    if isinstance(error, StoreBusy):
        headers["Retry-After"] = str(round(error.retry_after or RETRY_AFTER_SECONDS))
    problem = {"type": "about:blank", "title": type(error)().message, "status": status, "code": error.code}
    return Answer(status, "application/problem+json", json.dumps(problem).encode(), headers)

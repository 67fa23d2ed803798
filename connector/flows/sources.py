"""A configured sender: its mapping, its live secrets, and what its provider expects of the answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.mapping.handshakes import Answer, Expected
from connector.mapping.macs import KeySet
from connector.mapping.request import RawRequest
from connector.mapping.schemes import schemes
from connector.mapping.source import SourceMapping

RECEIVED = Answer(200, "text/plain; charset=utf-8", b"")
"""What a sender hears once its delivery is on disk."""

EMPTY_TWIML = Answer(200, "text/xml; charset=utf-8", b"<Response/>")
"""Twilio sends any plain text it is answered to the customer, as a message; an empty document it takes as silence."""

ALWAYS_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


@dataclass(frozen=True, slots=True)
class Source:
    """One entry under [sources] in the settings: ``name`` is its path segment.

    ``secrets`` holds the current secret and, while it is being changed, the previous one. ``verification`` names one of
    the mapping's schemes; empty means its first. ``keys`` gives the keys of an OpenID provider. ``scope`` keeps apart
    the ids of this source that another source of the same network may have too.
    """

    name: str
    mapping: SourceMapping
    secrets: tuple[str, ...] = field(default=(), repr=False)
    account_ids: tuple[str, ...] = ()
    verify_token: str = field(default="", repr=False)
    topics: tuple[str, ...] = ()
    scope: str = ""
    max_bytes: int | None = None
    verification: str = ""
    keys: KeySet | None = field(default=None, repr=False)

    @property
    def cap(self) -> int:
        """The largest body that is taken, in bytes."""
        return self.max_bytes or self.mapping.max_bytes

    @property
    def expected(self) -> Expected:
        """What the answers to this provider's challenges are checked against."""
        return Expected(secrets=self.secrets, verify_token=self.verify_token or None, topics=self.topics)

    @property
    def received(self) -> Answer:
        """The answer to a delivery that is stored, first or repeated."""
        return EMPTY_TWIML if self._kind(self.scheme) == "twilio" else RECEIVED

    @property
    def asks_for(self) -> str:
        """What a refused sender is asked to prove itself by: some send a password only when asked."""
        return 'Basic realm="webhooks"' if self._kind(self.scheme) == "basic_auth" else "Signature"

    @property
    def scheme(self) -> str:
        """The name of the scheme that proves a delivery."""
        return self.verification or self.mapping.verification

    @property
    def asks_deletion(self) -> bool:
        """Whether the sender is Meta asking to delete a person's data, and expects to hear where to look after it."""
        return self._kind(self.scheme) == "signed_request"

    def address(self, public_url: str) -> str:
        """What to give to the provider; where its secret stands in the address, with a word in the secret's place."""
        plain = f"{public_url}/webhooks/{self.name}"
        kind = self._kind(self.scheme)
        if kind == "basic_auth":
            scheme, _, rest = plain.partition("://")
            return f"{scheme}://USER:PASSWORD@{rest}"
        return f"{plain}?{schemes().known[self.scheme].field}=SECRET" if kind == "url_token" else plain

    def kept_headers(self, request: RawRequest) -> dict[str, str]:
        """The headers that are stored: those the mapping reads, and never one that carries a proof."""
        scheme = schemes().known.get(self.scheme)
        proofs = ALWAYS_SECRET | ({scheme.header} if scheme else set())
        wanted = [name for name in self.mapping.headers if name not in proofs]
        return {name: values[0][:1000] for name in wanted if (values := request.values(name))}

    def _kind(self, name: str) -> str:
        scheme = schemes().known.get(name)
        return scheme.kind if scheme else ""

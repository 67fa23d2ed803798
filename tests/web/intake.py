"""What the tests of the intake share: sources with invented secrets, and requests as their providers send them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

from connector.flows.sources import Source
from connector.mapping.channels import load_channels
from connector.mapping.loader import load_mapping
from connector.mapping.signing import Draft, sign
from connector.settings import default_mappings_dir

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)
PUBLIC_URL = "https://care.example/desk"
SECRET = "a-secret-of-this-test-suite-32-chars"
OLD_SECRET = "the-secret-that-was-used-before-this"
WHSEC = "whsec_" + b64encode(SECRET.encode()).decode()
OLD_WHSEC = "whsec_" + b64encode(OLD_SECRET.encode()).decode()
SECRETS = {"social_case": (WHSEC, OLD_WHSEC), "postmark": ("post:a-password",), "telegram": ("telegram_token-1",)}
CAP = 4096
BODY = b'{"object":"page","entry":[{"id":"77","time":1770033600000,"messaging":[]}]}'
FORM = "application/x-www-form-urlencoded"


@cache
def source(name: str) -> Source:
    """A configured source with the shipped mapping of this name."""
    folder = default_mappings_dir()
    mapping = load_mapping(folder / "sources" / f"{name}.yml", load_channels(folder / "channels.yml"))
    return Source(
        name=name,
        mapping=mapping,
        secrets=SECRETS.get(name, (SECRET, OLD_SECRET)),
        verify_token="the-verify-token",
        topics=("https://www.youtube.com/xml/feeds/videos.xml?channel_id=UC1",),
        max_bytes=CAP,
    )


NAMES = (
    "messenger", "chatwoot", "social_case", "twilio_sms", "telegram", "mailgun", "meta_privacy", "postmark",
    "trustpilot", "x", "youtube", "linkedin", "livechat", "line",
)  # fmt: skip


def sources() -> dict[str, Source]:
    """Every source of these tests, and one that was set up without a secret."""
    found = {name: source(name) for name in NAMES}
    return found | {"unfinished": replace(found["messenger"], name="unfinished", secrets=())}


@dataclass(frozen=True)
class Ask:
    """One request to a webhook."""

    source: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    method: str = "POST"

    def with_header(self, name: str, *values: str) -> Ask:
        """The same with this header sent once for each value; none removes it."""
        kept = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=kept + tuple((name, value) for value in values))

    def header(self, name: str) -> str:
        """The header's value."""
        return next(value for key, value in self.headers if key == name)


def signed(
    name: str, body: bytes = BODY, *, secret: str = "", at: datetime = NOW, kind: str = "", delivery_id: str = ""
) -> Ask:
    """A delivery that this provider signed."""
    known = source(name)
    content_type = kind or (FORM if name == "twilio_sms" else "application/json")
    draft = Draft(f"{PUBLIC_URL}/webhooks/{name}", body, content_type, delivery_id)
    made = sign(known.scheme, draft, secret or known.secrets[0], at)
    return Ask(name, made.body, tuple(made.headers.items()), urlsplit(made.url).query)


def challenge(name: str, **query: str) -> Ask:
    """A provider's question by GET."""
    pairs: Sequence[str] = [f"{key.replace('__', '.')}={value}" for key, value in query.items()]
    return Ask(name, query="&".join(pairs), method="GET")

"""The normal event: what every payload of every sender becomes, and the only thing ingestion reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility

JsonValue = Any


@dataclass(frozen=True, slots=True)
class Author:
    """The account that wrote it, as the network tells; everything but the id may be missing or change later."""

    external_id: str | None = None
    handle: str | None = None
    display_name: str | None = None
    location: str | None = None
    bio: str | None = None
    followers: int | None = None
    verified: bool | None = None
    profile_url: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something sent along; the address is kept and shown, never fetched by the server."""

    kind: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, in the normal form of docs/adding-a-source.md.

    ``scope`` is the id space the author's id lives in (a page, a bot, a forum's host; "" where ids are global);
    ``occurred_at`` is aware UTC at millisecond precision, or None where the sender gives no time;
    ``customer_id`` is the customer's id in the same scope also when the brand wrote;
    ``version`` orders states of one item: the edit time where the sender gives one, else None.
    """

    network: str
    kind: Kind
    direction: Direction
    visibility: Visibility | None = None
    scope: str = ""
    event_id: str | None = None
    item_id: str | None = None
    account_id: str | None = None
    thread_id: str | None = None
    parent_id: str | None = None
    occurred_at: datetime | None = None
    version: str | None = None
    text: str | None = None
    lang: str | None = None
    permalink: str | None = None
    author: Author = field(default_factory=Author)
    author_role: AuthorRole = AuthorRole.UNKNOWN
    customer_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    extra: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.occurred_at is not None and self.occurred_at.utcoffset() is None:
            raise ValueError("occurred_at must be an aware time")

    def as_dict(self) -> dict[str, JsonValue]:
        """The event as `connector mappings try` prints it: plain values, UTC with milliseconds, None for absent."""
        return {
            "network": self.network,
            "kind": self.kind.value,
            "direction": self.direction.value,
            "visibility": self.visibility.value if self.visibility else None,
            "scope": self.scope,
            "event_id": self.event_id,
            "item_id": self.item_id,
            "account_id": self.account_id,
            "thread_id": self.thread_id,
            "parent_id": self.parent_id,
            "occurred_at": format_time(self.occurred_at),
            "version": self.version,
            "text": self.text,
            "lang": self.lang,
            "permalink": self.permalink,
            "author": {
                "external_id": self.author.external_id,
                "handle": self.author.handle,
                "display_name": self.author.display_name,
                "location": self.author.location,
                "bio": self.author.bio,
                "followers": self.author.followers,
                "verified": self.author.verified,
                "profile_url": self.author.profile_url,
            },
            "author_role": self.author_role.value,
            "customer_id": self.customer_id,
            "attachments": [{"kind": each.kind, "url": each.url} for each in self.attachments],
            "extra": dict(self.extra),
        }


def format_time(moment: datetime | None) -> str | None:
    """The moment as ``2026-01-31T09:30:00.000Z``; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_millis(moment: datetime) -> int:
    """Epoch milliseconds UTC, as the store keeps every time."""
    return round(moment.timestamp() * 1000)


def from_millis(millis: int) -> datetime:
    """The aware UTC time of epoch milliseconds."""
    return datetime.fromtimestamp(millis / 1000, tz=UTC)


def content_hash(*parts: str | None) -> str:
    """A short, stable digest of the parts (None and "" differ); versions and keys are built from it."""
    told = "".join(["\x00" if part is None else f"\x01{part}\x00" for part in parts])
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]

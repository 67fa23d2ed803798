"""The state of one item: a message, post, comment, review, mail or call, however its events arrive.

Networks promise no order and no single delivery: a deletion may come before its post, an edit before its original.
So an item is not a history that is replayed but a state that only grows: every event is absorbed by a rule that gives
the same end whatever came first (earliest time, greatest version, deleted for ever, private for ever). Two facts that
contradict each other about one item cannot both be true; there the first one known stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from connector.domain.channels import CONTENT, DELETES, EDITS, AuthorRole, Direction, Kind, Visibility
from connector.domain.events import Event, content_hash, format_time
from connector.domain.moments import version_order

KIND_ORDER: tuple[Kind, ...] = (
    Kind.REVIEW, Kind.TICKET_CREATED, Kind.EMAIL, Kind.CALL, Kind.MESSAGE, Kind.MENTION, Kind.REPLY, Kind.QUOTE,
    Kind.COMMENT, Kind.POST, Kind.TICKET_COMMENT,
)  # fmt: skip
"""One item told as two kinds (a mention that is also a reply) counts as the first of these."""

STATUS_ORDER = ("sent", "delivered", "read", "failed")
"""How far the brand's words got; the furthest stands, and a failure is the last word."""

STATUS_WORDS = {
    "delivery": "delivered", "seen": "read", "undelivered": "failed", "bounce": "failed", "canceled": "failed",
    "rejected": "failed",
}  # fmt: skip

LONGEST_REFERENCE = 998

UNDOING = frozenset({"remove", "removed", "unreact", "unlike", "delete", "undo"})
"""Values of ``extra.action`` that take a reaction back."""

TARGETING = CONTENT | frozenset(EDITS) | DELETES | {Kind.REACTION, Kind.STATUS}
"""Kinds that say something about an item."""


@dataclass(slots=True)
class Item:
    """An interaction as stored; the fields are the columns of the table, in its order and its plain types.

    ``kind`` is None while only an edit, a deletion or a reaction has arrived: a placeholder that no page shows.
    """

    id: str
    origin: str
    case_id: str | None
    profile_id: str | None
    channel: str
    network: str
    source: str | None
    scope: str
    item_id: str
    thread: str
    parent_item_id: str | None
    account_id: str | None
    customer_id: str | None
    kind: str | None
    direction: str | None
    author_role: str | None
    author_name: str | None
    visibility: str | None
    occurred_at: int | None
    time_known: bool
    received_at: int
    text: str | None
    text_version: str
    lang: str | None
    permalink: str | None
    attachments: str
    extra: str
    extra_version: str
    delivery_status: str | None
    duration_seconds: int | None
    state: str
    deleted_at: int | None
    reactions: int
    reference: str | None
    possible_duplicate: bool
    crm_object: str | None
    crm_id: str | None
    crm_contact_id: str | None

    @property
    def is_opening(self) -> bool:
        """Whether a customer's words of this kind begin a case."""
        return self.is_inbound and self.kind != Kind.TICKET_COMMENT

    @property
    def is_inbound(self) -> bool:
        """Whether a customer said it: what machines write on a customer's side asks nobody for anything."""
        return self.kind is not None and self.direction == Direction.INBOUND and self.author_role in CUSTOMERS

    @property
    def is_answer(self) -> bool:
        """Whether a person of the brand said it to the customer: the only thing that stops a response clock."""
        return self.kind is not None and self.direction == Direction.OUTBOUND and self.author_role == AuthorRole.AGENT


CUSTOMERS = frozenset({AuthorRole.CUSTOMER.value, AuthorRole.UNKNOWN.value})
"""Whose inbound words count as a customer's: where nobody says whose they are, they are taken for it."""


def placeholder(item_id: str, natural: tuple[str, str, str], channel: str, received_at: int) -> Item:
    """An item of which nothing is known but its network, scope and id."""
    network, scope, name = natural
    return Item(
        id=item_id, origin="connector", case_id=None, profile_id=None, channel=channel, network=network, source=None,
        scope=scope, item_id=name, thread="", parent_item_id=None, account_id=None, customer_id=None, kind=None,
        direction=None, author_role=None, author_name=None, visibility=None, occurred_at=None, time_known=False,
        received_at=received_at, text=None, text_version="", lang=None, permalink=None, attachments="[]", extra="{}",
        extra_version="", delivery_status=None, duration_seconds=None, state="live", deleted_at=None, reactions=0,
        reference=None, possible_duplicate=False, crm_object=None, crm_id=None, crm_contact_id=None,
    )  # fmt: skip


def is_of_another(item: Item, event: Event) -> bool:
    """Whether the event tells, as somebody else's, of words that are known as a customer's.

    An edit or a deletion may come from a moderator, and the brand's own words by any of its colleagues; but two people
    never wrote the same item. Taking the second in would put one person's words into another's mouth.
    """
    if event.kind not in CONTENT or item.kind is None or item.direction != Direction.INBOUND:
        return False
    teller = event.customer_id if event.direction is Direction.INBOUND else event.author.external_id
    return None not in (teller, item.customer_id) and teller != item.customer_id


def may_be_one(twin: Item, told: Event | Item) -> bool:
    """Whether a call or mail that carries the reference of a known one can be it, whoever tells of it.

    A call's SID is the operator's. A mail's Message-ID is whatever its sender wrote there: with another sender, or in
    the other direction, it is another mail.
    """
    if told.kind != Kind.EMAIL:
        return True
    one, other = twin.customer_id, told.customer_id
    same_person = one is None or other is None or one.casefold() == other.casefold()
    return twin.direction == told.direction and (same_person or told.direction != Direction.INBOUND)


def absorb(item: Item, event: Event, at: int | None, received_at: int, source: str) -> None:
    """Takes an event about the item in; ``at`` is when it happened, in epoch milliseconds, where the sender tells."""
    item.received_at = min(item.received_at, received_at)
    if event.kind in CONTENT:
        _appear(item, event, at, source)
    elif event.kind in DELETES:
        _delete(item, received_at if at is None else at)
    elif event.kind is Kind.REACTION:
        item.reactions += -1 if str(event.extra.get("action")) in UNDOING else 1
    elif event.kind is Kind.STATUS:
        _status(item, event)
    elif event.text is not None or event.attachments:
        _tell(item, event, at)


def fill_in(twin: Item, event: Event) -> None:
    """Takes in what another sender tells about a call or mail that is known already; what is known stays."""
    twin.text = twin.text or event.text
    seconds = event.extra.get("duration_s")
    if twin.duration_seconds is None and isinstance(seconds, int) and 0 <= seconds < 2**31:
        twin.duration_seconds = seconds


def _appear(item: Item, event: Event, at: int | None, source: str) -> None:
    if item.kind is None or KIND_ORDER.index(event.kind) < KIND_ORDER.index(Kind(item.kind)):
        item.kind = event.kind.value
    item.direction = item.direction or event.direction.value
    item.author_role = item.author_role or event.author_role.value
    item.source = source if item.source is None else min(item.source, source)
    item.parent_item_id = item.parent_item_id or event.parent_id
    item.account_id = item.account_id or event.account_id
    item.customer_id = item.customer_id or event.customer_id
    item.reference = item.reference or reference_of(event)
    _happened(item, at)
    if event.visibility is not None and item.visibility != Visibility.PRIVATE:
        item.visibility = event.visibility.value
    seconds = event.extra.get("duration_s")
    if isinstance(seconds, int) and 0 <= seconds < 2**31:
        item.duration_seconds = max(seconds, item.duration_seconds or 0)
    if item.state == "live":
        _tell(item, event, at)
        _carry(item, event, at)


def _happened(item: Item, at: int | None) -> None:
    if at is not None:
        item.occurred_at = at if not item.time_known or item.occurred_at is None else min(item.occurred_at, at)
        item.time_known = True
    elif not item.time_known:
        item.occurred_at = item.received_at


def _tell(item: Item, event: Event, at: int | None) -> None:
    version = version_key(event, at)
    if item.state == "live" and version > item.text_version:
        item.text = event.text
        item.lang = event.lang
        item.attachments = attachments_json(event)
        item.text_version = version


def _carry(item: Item, event: Event, at: int | None) -> None:
    """What came along with the item: the newest telling of it stands as a whole."""
    carried = json.dumps(dict(event.extra), ensure_ascii=False, sort_keys=True) if event.extra else "{}"
    name = event.author.display_name or event.author.handle
    version = f"{_number(event, at)}/{content_hash(carried, name, event.permalink)}"
    if version > item.extra_version:
        item.extra = carried
        item.author_name = name
        item.permalink = event.permalink
        item.extra_version = version


def _delete(item: Item, at: int) -> None:
    """What the customer deleted is gone at once; what it was and when stays, for the counts."""
    item.state = "deleted"
    item.deleted_at = at if item.deleted_at is None else min(item.deleted_at, at)
    item.text = item.lang = item.permalink = item.author_name = None
    item.attachments, item.extra = "[]", "{}"
    item.text_version = item.extra_version = ""


def _status(item: Item, event: Event) -> None:
    told = str(event.extra.get("status"))
    told = STATUS_WORDS.get(told, told)
    if told in STATUS_ORDER and (
        item.delivery_status is None or STATUS_ORDER.index(told) > STATUS_ORDER.index(item.delivery_status)
    ):
        item.delivery_status = told


def attachments_json(event: Event) -> str:
    """What was sent along, as the store keeps it."""
    if not event.attachments:
        return "[]"
    return json.dumps([{"kind": each.kind, "url": each.url} for each in event.attachments], ensure_ascii=False)


def reference_of(event: Event) -> str | None:
    """The call SID or Message-ID by which the same call or mail is known to other senders; None where there is none."""
    told = event.extra.get("message_id")
    if isinstance(told, str) and told:
        # A mail's sender writes there what he likes; what is longer than a mail's line joins nothing.
        return told.strip().strip("<>") or None if len(told) <= LONGEST_REFERENCE else None
    if event.kind is Kind.CALL:
        return event.item_id
    if event.kind is Kind.EMAIL and event.item_id and event.item_id.startswith("<"):
        return event.item_id.strip("<>")
    return None


def version_key(event: Event, at: int | None) -> str:
    """Orders the states of one item: by version, an edit after its original, then by content, so ties end alike."""
    edited = "0" if event.kind in CONTENT else "1"
    digest = content_hash(event.text, event.lang, attachments_json(event))
    return f"{_number(event, at)}/{edited}/{digest}"


def _number(event: Event, at: int | None) -> str:
    """The version as digits of one length; an edit without one counts from when it happened, an original from 0."""
    told = None if event.version is None else version_order(event.version)
    if told is None:
        told = 0 if event.kind in CONTENT else at or 0
    return f"{told:020d}"


def fingerprint(event: Event) -> str:
    """Tells this event from another about the same item where the sender gives no version."""
    return content_hash(
        event.kind.value, event.event_id, event.text, event.author.external_id, event.author.handle, event.parent_id,
        event.thread_id, format_time(event.occurred_at), attachments_json(event),
        json.dumps(dict(event.extra), sort_keys=True, ensure_ascii=True, default=str) if event.extra else "{}",
    )  # fmt: skip

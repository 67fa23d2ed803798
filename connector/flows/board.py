"""What applying a batch of events works on: the rows they concern, read once, changed in memory, written once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from connector.domain.cases import DAY_MS, Conversation, Counted, KnownCase, counted
from connector.domain.channels import Kind, Visibility
from connector.domain.events import Event, to_millis
from connector.domain.items import TARGETING, Item, fingerprint
from connector.domain.keys import derive_id
from connector.domain.sightings import Profile
from connector.store.cases import CaseEvent, CaseRow, load_cases
from connector.store.interactions import EventKey, load_items
from connector.store.profiles import HandleSeen
from connector.store.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from connector.mapping.channels import ChannelRegister

ProfileKey = tuple[str, str, str]
"""Network, scope and external id; for accounts known by handle alone, the handle key after a mark that no id has."""


@dataclass(slots=True)
class Arrival:
    """An event of a delivery: where in it, from whom, when it came, and what follows from it at a look.

    ``at`` is when it happened, in epoch milliseconds, or None where the sender tells no time or one more than a day
    after the event came; ``moment`` falls back on when it came. ``item`` is what the event is about: the item, else the
    event itself, else its hash; ``key`` makes it the same event however often it is delivered. ``target`` is the item
    it says something about, None for events about accounts; ``customer`` is the key of the customer's profile, None
    where the sender names nobody.
    """

    event: Event
    delivery_id: int | None
    path: str
    source: str
    received_at: int
    digest: str | None = None
    at: int | None = field(init=False)
    moment: int = field(init=False)
    item: str = field(init=False)
    key: EventKey = field(init=False)
    target: str | None = field(init=False)
    customer: ProfileKey | None = field(init=False)

    def __post_init__(self) -> None:
        event = self.event
        self.at = None if event.occurred_at is None else to_millis(event.occurred_at)
        if self.at is not None and self.at > self.received_at + DAY_MS:
            self.at = None  # a clock years ahead would have the last word, and lead every list, for years
        self.moment = self.received_at if self.at is None else self.at
        self.item = event.item_id or event.event_id or self.digest or fingerprint(event)
        self.key = (event.network, event.scope, self.item, event.kind.value, event.version or fingerprint(event))
        self.target = None
        if event.kind is Kind.REACTION:
            self.target = event.item_id or event.parent_id
        elif event.kind in TARGETING:
            self.target = self.item
        self.customer = (event.network, event.scope, event.customer_id) if event.customer_id else None


@dataclass(frozen=True, slots=True)
class Signal:
    """The customer did something at the network that speaks about consent: unlinked, revoked, asked for deletion."""

    kind: Kind
    profile_id: str
    at: int
    value: str | None
    event_key: EventKey


@dataclass(frozen=True, slots=True)
class Desk:
    """What is the same for every batch: ids, channels, the reopen window, and now."""

    namespace: UUID
    channels: ChannelRegister
    now: int

    @property
    def window(self) -> int:
        """How long after its close a case may reopen, in milliseconds."""
        return self.channels.reopen_days * DAY_MS

    def item_id(self, network: str, scope: str, item: str) -> str:
        """The id of an interaction."""
        return derive_id(self.namespace, "interaction", network, scope, item)

    def profile_id(self, key: ProfileKey) -> str:
        """The id that a profile first seen under this key gets."""
        return derive_id(self.namespace, "profile", *key)

    def case_id(self, conversation: Conversation, sequence: int) -> str:
        """The id of a case of this conversation."""
        key = (conversation.network, conversation.scope, conversation.thread, conversation.profile_id)
        return derive_id(self.namespace, "case", *key, str(sequence))

    def channel(self, network: str, kind: Kind, visibility: Visibility | None) -> str:
        """The channel that an event of this kind counts under."""
        return self.channels.channel_for(network, kind, visibility).value


@dataclass(slots=True)
class Board:
    """The rows of one batch and what became of them."""

    uow: UnitOfWork
    desk: Desk
    profiles: dict[ProfileKey, Profile] = field(default_factory=dict)
    new_profiles: set[str] = field(default_factory=set)
    touched_profiles: dict[str, Profile] = field(default_factory=dict)
    changed_profiles: set[str] = field(default_factory=set)
    handles: dict[tuple[str, str], HandleSeen] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    counted_before: dict[str, tuple[str | None, Counted]] = field(default_factory=dict)
    new_items: set[str] = field(default_factory=set)
    touched_items: set[str] = field(default_factory=set)
    shown_items: set[str] = field(default_factory=set)
    taken_out: set[str] = field(default_factory=set)
    appeared: list[Item] = field(default_factory=list)
    retimed: list[Item] = field(default_factory=list)
    cases: dict[str, CaseRow] = field(default_factory=dict)
    conversations: dict[Conversation, list[CaseRow]] = field(default_factory=dict)
    new_cases: set[str] = field(default_factory=set)
    opened_before: dict[str, int] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)
    touched_cases: set[str] = field(default_factory=set)
    case_events: list[CaseEvent] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    def load_items(self, ids: Iterable[str]) -> None:
        """Reads the items of these ids that are not here yet."""
        missing = {each for each in ids if each not in self.items}
        if missing:
            for item in load_items(self.uow, missing).values():
                self.adopt_item(item)

    def adopt_item(self, item: Item) -> Item:
        """The item as it stands here, which is newer than the one just read."""
        if item.id not in self.items:
            self.items[item.id] = item
            self.counted_before[item.id] = (item.case_id, counted(item))
        return self.items[item.id]

    def change(self, item: Item) -> None:
        """Notes that the item must be written, shown in the CRM again and counted in its case."""
        self.touched_items.add(item.id)
        self.shown_items.add(item.id)
        if item.case_id is not None:
            self.touched_cases.add(item.case_id)

    def load_cases(self, ids: Iterable[str]) -> None:
        """Reads the cases of these ids that are not here yet."""
        missing = set(ids) - self.cases.keys()
        if missing:
            found = load_cases(self.uow, missing)
            self.cases.update(found)
            self.opened_before.update({row.id: row.opened_at for row in found.values()})

    def load_conversations(self, wanted: Iterable[Conversation]) -> None:
        """Reads every case of these conversations; the next one of a conversation is looked for while there is one."""
        missing = [each for each in dict.fromkeys(wanted) if each not in self.conversations]
        for each in missing:
            self.conversations[each] = []
        sequence = 0
        while missing:
            ids = {each: self.desk.case_id(each, sequence) for each in missing}
            self.load_cases(ids.values())
            missing = [each for each in missing if ids[each] in self.cases]
            for each in missing:
                self.conversations[each].append(self.cases[ids[each]])
            sequence += 1

    def known_cases(self, conversation: Conversation) -> list[KnownCase]:
        """The cases of a loaded conversation, for deciding."""
        return [
            KnownCase(row.id, row.sequence, row.opened_at, row.closed_at, row.is_deleted)
            for row in self.conversations[conversation]
        ]

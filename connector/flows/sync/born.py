"""Calls, mails, chats and comments that were born in the CRM: mirrored, and told once in its cross-channel history.

They never loop back: what we write is another object, which is never read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from connector.crm.port import CRM, Record
from connector.domain.cases import Figures, figures
from connector.domain.channels import AuthorRole, Channel, Direction, Kind, Visibility
from connector.domain.events import to_millis
from connector.domain.items import Item, may_be_one
from connector.domain.keys import derive_id
from connector.flows.context import Context
from connector.flows.sync.pull import Progress, gone, pull
from connector.mapping.crm_born import Born, BornObject
from connector.store.cases import write_figures
from connector.store.contacts import known_users
from connector.store.crm_born import (
    INTERACTION,
    BornCase,
    KnownCase,
    cases_by_crm_id,
    items_by_id,
    living_items,
    our_cases,
    put_items,
    queue_born,
    write_counts,
)
from connector.store.interactions import ITEMS, items_by_reference, items_of_cases, lookalikes
from connector.store.outbox import queue, queue_many
from connector.store.unit_of_work import UnitOfWork

TWIN_MS = 120_000
"""The same call or mail told by two senders without a common reference lies at most this far apart."""

SCOPE = "crm"
"""The id space of their record ids."""


class Conversations:
    """Gathers items of one batch, then writes those that differ, with all that follows from them."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._items: list[tuple[Item, bool]] = []

    def add(self, item: Item, *, is_written: bool = True) -> None:
        """Takes an item in; ``is_written`` tells whether the cross-channel history shows it."""
        self._items.append((item, is_written))

    def put(self, uow: UnitOfWork) -> int:
        """How many were new or changed: they are queued, their cases counted anew, and likely twins flagged."""
        changed = put_items(uow, [item for item, _ in self._items])
        written = {item.id for item, is_written in self._items if is_written}
        # Cases before what was said in them, in the order in which a change of consent queues them.
        count_cases(uow, {item.case_id for item in changed if item.case_id})
        _flag_lookalikes(uow, changed)
        queue_born(uow, sorted(item.id for item in changed if item.id in written))
        return len(changed)


@dataclass(frozen=True, slots=True)
class BornReader:
    """Reads one object; ``look_up`` reads cases by record id that no reading has brought yet."""

    ctx: Context
    obj: BornObject
    look_up: Callable[[Sequence[str]], None]

    def pull(self, crm: CRM, *, full: bool = False, on_progress: Progress | None = None) -> int:
        """How many interactions were new or changed; none where the org has no such object."""
        described = crm.fields(self.obj.name)
        if described is None or not set(self.obj.needed) <= described.keys():
            return 0
        fields = [name for name in self.obj.fields if name in described]
        changed = 0
        for ids in gone(self.ctx, crm, self.obj.name, partial(living_items, obj=self.obj.name), full=full):
            with self.ctx.store.begin() as uow:
                changed += self.let_go(uow, ids)
        return changed + pull(
            self.ctx, crm, self.obj.name, fields, self.take, full=full, where=self.obj.where, prepare=self.prepare,
            on_progress=on_progress,
        )  # fmt: skip

    def let_go(self, uow: UnitOfWork, crm_ids: Sequence[str]) -> int:
        """How many interactions lost their words now, since the CRM has deleted their records."""
        now = to_millis(self.ctx.clock())
        known = items_by_id(uow, {derive_id(self.ctx.namespace, "crm", each) for each in crm_ids})
        talks = Conversations(self.ctx)
        for item in known.values():
            if item.origin == "crm" and item.state == "live":
                talks.add(tombstone(item, now), is_written=not _is_note(item))
        return talks.put(uow)

    def prepare(self, records: Sequence[Record]) -> Sequence[Record]:
        """Reads those cases of the records that are not known; nothing else is to be handled with them."""
        named = {born.case_crm_id for born in self._read(records) if born.case_crm_id}
        with self.ctx.store.read() as connection:
            unknown = named - cases_by_crm_id(connection, named).keys()
        if unknown:
            self.look_up(sorted(unknown))
        return ()

    def _read(self, records: Sequence[Record]) -> list[Born]:
        return [born for record in records if (born := self.obj.read(record))]

    def take(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        """How many interactions of these records were new or changed."""
        borns = self._read(records)
        cases = cases_by_crm_id(uow.connection, {each.case_crm_id for each in borns if each.case_crm_id})
        people = {each for born in borns for each in (born.owner_crm_id, born.created_by) if each}
        users = known_users(uow.connection, people)
        twins = items_by_reference(uow, {each.reference for each in borns if each.reference})
        talks = Conversations(self.ctx)
        for born in borns:
            case = cases.get(born.case_crm_id or "")
            if case is None and born.contact_crm_id is None:
                continue  # of a case whose origin is not ours to read, or of nobody
            item = item_of(self.ctx.namespace, self.obj.name, born, case, users)
            twin = _twin(item, twins.get(born.reference or "", ()))
            if twin is not None and twin.origin == "connector":
                talks.add(replace(twin, crm_object=self.obj.name, crm_id=born.crm_id))
            else:
                if twin is not None and twin.id == item.id and item.duration_seconds is None:
                    item = replace(item, duration_seconds=twin.duration_seconds)  # the operator may have told it
                talks.add(item, is_written=born.is_written)
        return talks.put(uow)


def item_of(namespace: UUID, obj: str, born: Born, case: KnownCase | None, users: Mapping[str, str]) -> Item:
    """The interaction as stored."""
    born = _with_author(born, users)
    live = born.deleted_at is None
    author = born.author_name
    if author is None and born.author_role is AuthorRole.AGENT:
        author = users.get(born.created_by or born.owner_crm_id or "")
    channel = born.channel.value if born.channel else case.channel if case else Channel.PHONE.value
    network = born.network or (case.network if case else channel)
    return Item(
        id=derive_id(namespace, "crm", born.crm_id), origin="crm", case_id=case.id if case else None,
        profile_id=case.profile_id if case else None, channel=channel, network=network, source=None, scope=SCOPE,
        item_id=born.crm_id, thread=born.case_crm_id or "", parent_item_id=None, account_id=None,
        customer_id=born.customer_id, kind=born.kind.value, direction=(born.direction or Direction.OUTBOUND).value,
        author_role=born.author_role.value, author_name=author if live else None,
        visibility=(Visibility.PUBLIC if born.is_public else Visibility.PRIVATE).value, occurred_at=born.occurred_at,
        time_known=True, received_at=born.occurred_at, text=born.text if live else None, text_version="", lang=None,
        permalink=None, attachments="[]",
        extra=json.dumps(dict(born.extra), ensure_ascii=False, sort_keys=True) if live and born.extra else "{}",
        extra_version="", delivery_status=None, duration_seconds=born.duration_seconds,
        state="live" if live else "deleted", deleted_at=born.deleted_at, reactions=0, reference=born.reference,
        possible_duplicate=False, crm_object=obj, crm_id=born.crm_id, crm_contact_id=_contact(born, case),
    )  # fmt: skip


def _twin(item: Item, bearing: Sequence[Item]) -> Item | None:
    """What is known already of a call or mail, among the items that bear its reference: first of all itself."""
    itself = (each for each in bearing if each.id == item.id)
    return next(itself, None) or next((each for each in bearing if may_be_one(each, item)), None)


def tombstone(item: Item, at: int) -> Item:
    """What stays of an interaction that was deleted: its time, and no words."""
    return replace(item, state="deleted", deleted_at=at, text=None, author_name=None, extra="{}")


def _is_note(item: Item) -> bool:
    """Whether it is a comment among colleagues, which the history never shows."""
    return item.kind == Kind.TICKET_COMMENT and item.direction == Direction.INTERNAL


def _with_author(born: Born, users: Mapping[str, str]) -> Born:
    """A published comment is an agent's answer, unless its creator does not work in the CRM: then the customer's."""
    if born.direction is not None:
        return born
    if born.created_by in users:
        return replace(born, direction=Direction.OUTBOUND, author_role=AuthorRole.AGENT)
    return replace(born, direction=Direction.INBOUND, author_role=AuthorRole.CUSTOMER)


def _contact(born: Born, case: KnownCase | None) -> str | None:
    """The contact that the CRM asserts. On a case of ours it asserts none: what it shows there, we may have written."""
    if case is not None and case.origin == "connector":
        return None
    if born.names_contact:
        return born.contact_crm_id
    return case.crm_contact_id if case else None


def opening_of(namespace: UUID, case: BornCase, record: Record, master: KnownCase | None = None) -> Item:
    """The customer's first message that a case made by a form or a community question is itself.

    It stays what the customer said when people join the case into another one, the ``master``. A case that is gone
    without one says nothing any more (``tombstone``).
    """
    born = Born(
        crm_id=case.crm_id, kind=Kind.TICKET_CREATED, direction=Direction.INBOUND, author_role=AuthorRole.CUSTOMER,
        occurred_at=case.opened_at, case_crm_id=case.crm_id, channel=Channel(case.channel), network=case.network,
        text=record.get("Description") or record.get("Subject"), is_public=case.channel == Channel.COMMUNITY,
        extra={"subject": case.subject} if case.subject else {},
    )  # fmt: skip
    own = KnownCase(case.id, "crm", case.channel, case.network, None, case.crm_contact_id, case.is_deleted)
    return item_of(namespace, "Case", born, master or own, {})


def count_cases(uow: UnitOfWork, case_ids: Collection[str]) -> None:
    """Works the figures of these cases out anew; ours are queued with them."""
    by_case: dict[str, list[Item]] = defaultdict(list)
    for item in items_of_cases(uow, case_ids):
        by_case[item.case_id or ""].append(item)
    counted = {key: found for key, items in by_case.items() if (found := _figures(items)) is not None}
    ours = our_cases(uow, counted.keys())
    write_figures(uow, [(key, counted[key]) for key in sorted(ours)])
    write_counts(uow, {key: found for key, found in counted.items() if key not in ours})
    for key in sorted(ours):
        queue(uow, "Case", key)


def _figures(items: Sequence[Item]) -> Figures | None:
    counted = figures(items)
    if counted is None:
        return None
    # A chat is one record with both sides in it: the agent's joining is its first response.
    joined = [answered for item in items if isinstance(answered := json.loads(item.extra).get("answered_at"), int)]
    answers = [each for each in (counted.first_response_at, *joined) if each and each >= counted.first_inbound_at]
    return replace(counted, first_response_at=min(answers, default=None))


def _flag_lookalikes(uow: UnitOfWork, items: Sequence[Item]) -> None:
    """Marks a call or mail and its likely twin of another sender; without a common reference both stay."""
    born = [item for item in items if item.origin == "crm" and item.kind in (Kind.CALL, Kind.EMAIL)]
    alike = lookalikes(uow, born, within=TWIN_MS)
    for item in born:
        found = [each for each in alike.get(item.id, ()) if not each.possible_duplicate]
        for each in found:
            each.possible_duplicate = True
        if found and not item.possible_duplicate:
            item.possible_duplicate = True
            found.append(item)
        ITEMS.update(uow, found)
        queue_many(uow, INTERACTION, [(each.id, each.case_id) for each in found if each.case_id and each is not item])

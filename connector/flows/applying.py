"""Applying a batch of events: the rows they concern are read, changed in memory and written, all in a few statements.

Each event counts once: its unique key in the table of events decides, in the same transaction as its effects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from connector.domain.cases import Figures, counted, figures, figures_with, thread_of
from connector.domain.channels import CONTENT, Channel, Kind, Visibility
from connector.domain.items import Item, absorb, fill_in, is_of_another, may_be_one, placeholder, reference_of
from connector.errors import AuthorDiffers
from connector.flows.board import Arrival, Board, Desk, Signal
from connector.flows.profiles import find_customers, profile_of
from connector.flows.threading import find_cases, note_at_source
from connector.store.cases import (
    CASES,
    CaseEvent,
    CaseRow,
    move_case_event,
    record_case_events,
    write_figures,
    write_reopened,
)
from connector.store.interactions import ITEMS, Applied, items_by_reference, items_of_cases, lookalikes, record_new
from connector.store.outbox import queue_many
from connector.store.profiles import PROFILES, known_to_crm, record_handles
from connector.store.unit_of_work import UnitOfWork

UNSHOWN = frozenset({Kind.REACTION, Kind.STATUS})
"""Kinds that change nothing the CRM shows."""

TWINNED = frozenset({Channel.PHONE.value, Channel.EMAIL.value})
"""Channels whose contacts the CRM may record too."""

TWIN_MS = 120_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying did: events applied, events that had been applied before, and what customers signalled."""

    applied: int
    duplicates: int
    signals: tuple[Signal, ...] = ()


def apply_events(uow: UnitOfWork, desk: Desk, arrivals: Sequence[Arrival]) -> Outcome:
    """Applies the events that are new, in order; raises whatever the store refuses, and then nothing may be kept."""
    new = record_new(uow, [Applied(each.key, each.delivery_id, desk.now) for each in arrivals])
    fresh: list[Arrival] = []
    for each in arrivals:
        if each.key in new:
            new.discard(each.key)
            fresh.append(each)
    board = Board(uow, desk)
    find_customers(board, fresh)
    _take_in_items(board, [each for each in fresh if each.target])
    find_cases(board)
    note_at_source(board, fresh)
    _write(board)
    return Outcome(len(fresh), len(arrivals) - len(fresh), tuple(board.signals))


def _take_in_items(board: Board, arrivals: Sequence[Arrival]) -> None:
    content = [each for each in arrivals if each.event.kind in CONTENT]
    parents = [_item_id(board, each, each.event.parent_id) for each in content if each.event.parent_id]
    targets = [_item_id(board, each, each.target or "") for each in arrivals]
    board.load_items(targets + parents)
    references = {name for each in content if (name := reference_of(each.event))}
    known = items_by_reference(board.uow, references)
    twins = {name: [board.adopt_item(each) for each in items] for name, items in known.items()}
    for item_id, each in zip(targets, arrivals, strict=True):
        _take_in(board, item_id, each, twins)
    _flag_lookalikes(board)


def _item_id(board: Board, arrival: Arrival, item: str) -> str:
    return board.desk.item_id(arrival.event.network, arrival.event.scope, item)


def _take_in(board: Board, item_id: str, arrival: Arrival, twins: Mapping[str, Sequence[Item]]) -> None:
    event = arrival.event
    item = board.items.get(item_id)
    if item is not None and is_of_another(item, event):
        raise AuthorDiffers
    bearing = twins.get(reference_of(event) or "", ()) if event.kind in CONTENT else ()
    twin = next((each for each in bearing if may_be_one(each, event)), None)
    if twin is not None and twin.id != item_id and (item is None or item.kind is None):
        fill_in(twin, event)
        board.change(twin)
        return
    if item is None:
        channel = board.desk.channel(event.network, event.kind, event.visibility)
        natural = (event.network, event.scope, arrival.target or "")
        item = board.items[item_id] = placeholder(item_id, natural, channel, arrival.received_at)
        board.new_items.add(item_id)
    appears, before = item.kind is None, item.occurred_at
    absorb(item, event, arrival.at, arrival.received_at, arrival.source)
    if event.kind in UNSHOWN:
        board.touched_items.add(item_id)
        return
    if event.kind in CONTENT:
        _settle_facts(board, item, arrival, appears=appears)
        if not appears and item.occurred_at != before:
            board.retimed.append(item)
    board.change(item)


def _settle_facts(board: Board, item: Item, arrival: Arrival, *, appears: bool) -> None:
    """What follows from the item's own facts once it is there: its channel, its thread and its customer."""
    event = arrival.event
    if item.kind is None:
        return
    visibility = Visibility(item.visibility) if item.visibility else None
    item.channel = board.desk.channel(item.network, Kind(item.kind), visibility)
    if not appears:
        return
    parent = board.items.get(_item_id(board, arrival, event.parent_id)) if event.parent_id else None
    item.thread = thread_of(event, (parent.thread if parent else None) or None, item.item_id)
    item.profile_id = profile_of(board, arrival)
    board.appeared.append(item)


def _flag_lookalikes(board: Board) -> None:
    """Marks calls and mails that the CRM may have recorded too, without a reference that would tell."""
    twinned = {item.id: item for item in board.appeared if item.channel in TWINNED and item.customer_id}
    for item_id, found in lookalikes(board.uow, twinned.values(), within=TWIN_MS).items():
        for each in found:
            other = board.adopt_item(each)
            twinned[item_id].possible_duplicate = other.possible_duplicate = True
            board.change(other)


def _write(board: Board) -> None:
    uow = board.uow
    touched = board.touched_profiles
    PROFILES.insert(uow, [touched[each] for each in touched if each in board.new_profiles])
    PROFILES.update(uow, [touched[each] for each in touched if each not in board.new_profiles])
    record_handles(uow, list(board.handles.values()))
    CASES.insert(
        uow, [board.cases[each] for each in sorted(board.new_cases, key=lambda each: board.cases[each].sequence)]
    )
    ITEMS.insert(uow, [board.items[each] for each in board.items if each in board.new_items])
    ITEMS.update(uow, [board.items[each] for each in board.items if each in board.touched_items - board.new_items])
    changed = _figures(board)
    write_reopened(uow, [board.cases[each] for each in sorted(board.reopened - board.new_cases)])
    record_case_events(uow, board.case_events)
    _queue(board, changed)


def _figures(board: Board) -> set[str]:
    """Works out the figures of every case that was touched; the ids of those that changed."""
    board.load_cases(board.touched_cases)
    touched = {
        case_id: case
        for case_id in sorted(board.touched_cases | board.new_cases)
        if (case := board.cases.get(case_id)) is not None and case.origin == "connector"
    }
    grown = _grown(board, touched)
    anew = _anew(board, touched.keys() - grown.keys())
    changed = []
    for case_id, case in touched.items():
        now = grown.get(case_id) or anew[case_id]
        if now is None:
            continue
        _note_opening(board, case, now)
        if case_id in board.new_cases or now != _kept(case):
            changed.append((case_id, now))
    write_figures(board.uow, changed)
    return {case_id for case_id, _ in changed} | board.reopened


def _grown(board: Board, touched: Mapping[str, CaseRow]) -> dict[str, Figures]:
    """The figures of those cases that something only came to: what was said in them before, thousands of times perhaps,
    need not be read again."""
    came: dict[str, list[Item]] = defaultdict(list)
    otherwise = set(board.new_cases)
    for item in board.items.values():
        before, counts = board.counted_before.get(item.id, (None, None))
        if before is not None and (item.case_id != before or counted(item) != counts):
            otherwise.add(before)
        if item.case_id is not None and item.case_id != before:
            came[item.case_id].append(item)
    grown = {}
    for case_id in touched.keys() - otherwise:
        kept = _kept(touched[case_id])
        found = figures_with(kept, came[case_id]) if kept else None
        if found is not None:
            grown[case_id] = found
    return grown


def _anew(board: Board, case_ids: Collection[str]) -> dict[str, Figures | None]:
    """The figures of these cases from all that was said in them."""
    members: dict[str, list[Item]] = {each: [] for each in case_ids}
    new = board.new_cases.intersection(case_ids)
    in_new_cases = (item for item in board.items.values() if item.case_id in new)
    for item in (*in_new_cases, *items_of_cases(board.uow, set(case_ids) - new)):
        members[item.case_id or ""].append(item)
    return {case_id: figures(items) for case_id, items in members.items()}


def _note_opening(board: Board, case: CaseRow, now: Figures) -> None:
    """When a case opened is when its first words were said, also when those came late."""
    before = board.opened_before.get(case.id)
    if before is None:
        board.case_events.append(CaseEvent(case.id, "opened", now.opened_at, board.desk.now))
    elif before != now.opened_at:
        move_case_event(board.uow, case.id, "opened", before, now.opened_at)


def _kept(case: CaseRow) -> Figures | None:
    if case.first_inbound_at is None or case.last_inbound_at is None:
        return None
    return Figures(
        channel=case.channel,
        source=case.source,
        visibility=case.visibility,
        subject=case.subject,
        opened_at=case.opened_at,
        first_inbound_at=case.first_inbound_at,
        last_inbound_at=case.last_inbound_at,
        first_response_at=case.first_response_at,
        last_outbound_at=case.last_outbound_at,
        moved_to_private_at=case.moved_to_private_at,
        inbound_touches=case.inbound_touches,
        outbound_touches=case.outbound_touches,
    )


def _queue(board: Board, changed: set[str]) -> None:
    """Notes for the CRM what changed: the profiles it knows or must know, the cases, and what was said in them."""
    opened = [board.cases[each] for each in board.new_cases]
    profiles = {case.profile_id for case in opened if case.profile_id}
    profiles |= known_to_crm(board.uow, board.changed_profiles - profiles)
    queue_many(board.uow, "Social_Profile__c", [(each, None) for each in sorted(profiles)])
    cases = [board.cases[each] for each in sorted(changed)]
    queue_many(board.uow, "Case", [(case.id, case.profile_id) for case in cases])
    shown = [board.items[each] for each in board.shown_items]
    said = [item for item in shown if item.kind and (item.case_id or item.id in board.taken_out)]
    said.sort(key=lambda item: (item.occurred_at or 0, item.id))
    queue_many(board.uow, "Channel_Interaction__c", [(item.id, item.case_id) for item in said])

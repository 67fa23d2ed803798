"""Which case each interaction belongs to: opening, reopening, adopting what came before its case did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.domain.cases import Conversation, Placement, place, place_answer
from connector.domain.channels import Direction, Kind
from connector.domain.items import Item
from connector.flows.board import Arrival, Board
from connector.flows.profiles import profile_of
from connector.store.cases import CaseEvent, CaseRow, move_case_event, threads_begun_by
from connector.store.interactions import items_of_cases, loose_items

Thread = tuple[str, str, str]

AT_SOURCE = {
    Kind.CASE_RESOLVED: "resolved_at_source",
    Kind.CASE_PENDING: "pending_at_source",
    Kind.CASE_UPDATE: "updated_at_source",
}
"""What another desk did with its own ticket; it goes into the case's history and closes nothing: the CRM does that."""


def find_cases(board: Board) -> None:
    """Gives every interaction that appeared its case, and every loose one of the same threads.

    The customer's words come first, in the order of their own times; then the brand's words, whose customer may follow
    from the item they answer or from who began the thread.
    """
    appeared = [item for item in board.appeared if item.case_id is None]
    inbound = sorted((item for item in appeared if item.is_inbound), key=_order)
    board.load_conversations(_conversation(item) for item in inbound)
    for item in inbound:
        _place_customer(board, item)
    _retime_cases(board)
    _move_answers(board)
    loose = _loose(board, [*board.appeared, *board.retimed])
    _find_whom_they_answer(board, loose)
    board.load_conversations(_conversation(item) for item in loose if item.profile_id is not None)
    for item in loose:
        _place_loose(board, item)


def note_at_source(board: Board, arrivals: Sequence[Arrival]) -> None:
    """Adds to the history of the cases what their senders' own desks did; without a case there is nothing to note."""
    told = [each for each in arrivals if each.event.kind in AT_SOURCE and each.event.thread_id]
    unnamed = {_source_thread(each) for each in told if each.customer is None}
    beginners = threads_begun_by(board.uow, unnamed)
    named = {each.key: _source_conversation(board, each) for each in told if each.customer is not None}
    board.load_conversations(each for each in named.values() if each is not None)
    for each in told:
        conversation = named.get(each.key)
        cases = board.conversations[conversation] if conversation is not None else []
        case = cases[-1] if cases else beginners.get(_source_thread(each))
        if case is not None:
            kind = AT_SOURCE[each.event.kind]
            board.case_events.append(CaseEvent(case.id, kind, each.moment, board.desk.now, each.source))


def _source_thread(arrival: Arrival) -> Thread:
    return (arrival.event.network, arrival.event.scope, arrival.event.thread_id or "")


def _source_conversation(board: Board, arrival: Arrival) -> Conversation | None:
    profile_id = profile_of(board, arrival)
    return Conversation(*_source_thread(arrival), profile_id) if profile_id else None


def _order(item: Item) -> tuple[int, str]:
    return (item.occurred_at or 0, item.id)


def _thread(item: Item) -> Thread:
    return (item.network, item.scope, item.thread)


def _conversation(item: Item) -> Conversation:
    return Conversation(item.network, item.scope, item.thread, item.profile_id or "")


def _place_customer(board: Board, item: Item) -> None:
    conversation = _conversation(item)
    at = item.occurred_at or 0
    placement = place(board.known_cases(conversation), at, board.desk.window)
    if placement.opens and not item.is_opening:
        return
    if placement.opens:
        case = _open(board, conversation, placement, item)
    else:
        case = board.conversations[conversation][placement.sequence]
        if placement.reopens:
            _reopen(board, case, at)
        else:
            _reopened_earlier(board, case, at)
    _assign(board, item, case.id)


def _open(board: Board, conversation: Conversation, placement: Placement, item: Item) -> CaseRow:
    case = CaseRow(
        id=board.desk.case_id(conversation, placement.sequence),
        network=conversation.network,
        scope=conversation.scope,
        thread=conversation.thread,
        profile_id=item.profile_id,
        sequence=placement.sequence,
        parent_id=placement.parent_id,
        opened_at=item.occurred_at or 0,
        channel=item.channel,
        source=item.source,
        visibility=item.visibility,
    )
    board.cases[case.id] = case
    board.conversations[conversation].append(case)
    board.new_cases.add(case.id)
    return case


def _reopen(board: Board, case: CaseRow, at: int) -> None:
    closed_at = case.closed_at
    case.closed_at = None
    case.status = "New"
    case.reopen_count += 1
    case.reopened_at = at
    case.reopened_from_at = closed_at
    board.reopened.add(case.id)
    board.touched_cases.add(case.id)
    detail = {"closed_at": closed_at}
    board.case_events.append(CaseEvent(case.id, "reopened", at, board.desk.now, detail=detail))


def _reopened_earlier(board: Board, case: CaseRow, at: int) -> None:
    """Words that came late but were said between the close and the reopening: they are what reopened the case."""
    before, after = case.reopened_from_at, case.reopened_at
    if before is None or after is None or not before < at < after:
        return
    case.reopened_at = at
    board.reopened.add(case.id)
    recorded = [each for each in board.case_events if each.case_id == case.id and each.type == "reopened"]
    if recorded:
        board.case_events.remove(recorded[-1])
        detail = recorded[-1].detail
        board.case_events.append(CaseEvent(case.id, "reopened", at, board.desk.now, detail=detail))
    else:
        move_case_event(board.uow, case.id, "reopened", after, at)


def _retime_cases(board: Board) -> None:
    """An item told a second time may turn out older than its case seemed to be."""
    board.load_cases(item.case_id for item in board.retimed if item.case_id is not None)
    for item in board.retimed:
        if item.case_id is not None:
            _assign(board, item, item.case_id)


def _move_answers(board: Board) -> None:
    """An answer that came before the words that opened its case, or opened it earlier, went to the case before."""
    later = [
        (conversation, case)
        for conversation, found in board.conversations.items()
        for case in found[1:]
        if case.id in board.new_cases or case.opened_at < board.opened_before.get(case.id, case.opened_at)
    ]
    if not later:
        return
    before = {case.id for conversation, _ in later for case in board.conversations[conversation]} - board.new_cases
    since = min(case.opened_at for _, case in later)
    stored = [board.adopt_item(item) for item in items_of_cases(board.uow, before, since=since)]
    ours = [item for item in stored if not item.is_inbound and item.origin == "connector"]
    board.load_conversations(_conversation(item) for item in ours if item.profile_id is not None)
    for item in sorted(ours, key=_order):
        _place_loose(board, item)


def _loose(board: Board, appeared: Sequence[Item]) -> list[Item]:
    """What in the threads of these items has no case, or a case that follows from other items."""
    threads = {_thread(item) for item in appeared if item.thread}
    stored = [board.adopt_item(item) for item in loose_items(board.uow, threads)]
    together = {item.id: item for item in (*stored, *appeared)}
    return sorted((item for item in together.values() if _is_loose(item)), key=_order)


def _is_loose(item: Item) -> bool:
    follows = item.direction == Direction.OUTBOUND and item.customer_id is None
    return item.kind is not None and (item.case_id is None or follows)


def _find_whom_they_answer(board: Board, loose: Sequence[Item]) -> None:
    """The customer of the brand's words that name none: of the item answered, else of whoever began the thread.

    Worked out anew whenever the thread is touched, since the item answered may come later than the answer.
    """
    unnamed = [item for item in loose if item.customer_id is None and not item.is_inbound]
    parents = {
        item.id: board.desk.item_id(item.network, item.scope, item.parent_item_id)
        for item in unnamed
        if item.parent_item_id
    }
    board.load_items(parents.values())
    heading = [item for item in unnamed if not _known(board, parents.get(item.id)) and _heads(item)]
    whom: dict[str, str | None] = {item.id: None for item in unnamed}
    whom.update(_beginners(board, heading))
    headed = {item.id for item in heading}
    for _ in unnamed:  # a chain of the brand's own words is as long as their number at most
        before = dict(whom)
        for item in unnamed:
            parent = board.items.get(parents.get(item.id, ""))
            if item.id not in headed and parent is not None:
                whom[item.id] = whom.get(parent.id, parent.profile_id)
        if whom == before:
            break
    for item in unnamed:
        _answers(board, item, whom[item.id])


def _known(board: Board, item_id: str | None) -> bool:
    found = board.items.get(item_id or "")
    return found is not None and found.kind is not None


def _heads(item: Item) -> bool:
    return item.parent_item_id is None or item.parent_item_id == item.thread


def _answers(board: Board, item: Item, profile_id: str | None) -> None:
    if item.profile_id == profile_id:
        return
    item.profile_id = profile_id
    board.change(item)
    if item.case_id is not None:
        item.case_id = None  # of another customer; whoever it answers by now may have none
        board.taken_out.add(item.id)


def _beginners(board: Board, heading: Sequence[Item]) -> dict[str, str | None]:
    """Whom words to the whole thread answer: whoever began it; nobody in particular where the brand itself did."""
    by_thread: dict[Thread, list[Item]] = {}
    for item in heading:
        by_thread.setdefault(_thread(item), []).append(item)
    found: dict[str, str | None] = {}
    for thread, first in _first_cases(board, by_thread).items():
        items = by_thread[thread]
        if min(item.occurred_at or 0 for item in items) >= first.opened_at:
            found.update({item.id: first.profile_id for item in items})
    return found


def _first_cases(board: Board, threads: Iterable[Thread]) -> dict[Thread, CaseRow]:
    wanted = set(threads)
    found = threads_begun_by(board.uow, wanted)
    for case in board.cases.values():
        thread = (case.network, case.scope, case.thread)
        if thread in wanted and case.sequence == 0:
            other = found.get(thread)
            if other is None or other.id == case.id or (case.opened_at, case.id) < (other.opened_at, other.id):
                found[thread] = case
    return found


def _place_loose(board: Board, item: Item) -> None:
    if item.profile_id is None:
        return
    conversation = _conversation(item)
    if item.is_inbound:
        _place_customer(board, item)
        return
    case_id = place_answer(board.known_cases(conversation), item.occurred_at or 0, board.desk.window)
    if case_id is not None:
        _assign(board, item, case_id)


def _assign(board: Board, item: Item, case_id: str) -> None:
    if item.case_id != case_id:
        if item.case_id is not None:
            board.touched_cases.add(item.case_id)
        item.case_id = case_id
        board.change(item)
    case = board.cases.get(case_id)
    if case is not None and item.is_inbound:
        case.opened_at = min(case.opened_at, item.occurred_at or 0)

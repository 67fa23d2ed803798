"""Which case an event belongs to, when a case opens or reopens, and the figures that follow from its interactions.

A case is one customer's matter in one thread. Its key is (network, scope, thread, profile): another person's comment
in the same thread is that person's own case. The figures are always those of the interactions as they stand, so they do
not depend on the order in which those came; what comes later is added to them, all else has them worked out anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility
from connector.domain.events import Event
from connector.domain.items import Item

DAY_MS = 86_400_000
PRIVATE_KINDS = frozenset({Kind.MESSAGE, Kind.EMAIL, Kind.CALL})


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where a case can be: one thread (or the private talk with one brand account) and one customer."""

    network: str
    scope: str
    thread: str
    profile_id: str


def thread_of(event: Event, parent_thread: str | None, own_id: str) -> str:
    """The thread an item belongs to: as told; else the private talk of customer and account; else its parent's thread.

    Without any of them the item begins a thread of its own.
    """
    if event.thread_id:
        return event.thread_id
    if event.visibility is Visibility.PRIVATE or (event.visibility is None and event.kind in PRIVATE_KINDS):
        return f"with:{event.account_id or ''}:{event.customer_id}" if event.customer_id else own_id
    return parent_thread or event.parent_id or own_id


@dataclass(frozen=True, slots=True)
class KnownCase:
    """What deciding needs to know of a case that exists already."""

    id: str
    sequence: int
    opened_at: int
    closed_at: int | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a customer's words go: the case at this sequence, which they may open or reopen."""

    sequence: int
    opens: bool = False
    reopens: bool = False
    parent_id: str | None = None


def place(cases: Sequence[KnownCase], at: int, window: int) -> Placement:
    """The case of this conversation that words of the customer at this time belong to.

    That is the last one begun that was open then; where none was, the last one closed at most ``window`` milliseconds
    before, which they reopen; else the next one, which they begin earlier, or a new one whose parent is the last. Cases
    deleted in the CRM take nothing more.
    """
    living = _living(cases)
    begun = _begun(living, at)
    found = _open_then(begun, at)
    if found is not None:
        return Placement(found.sequence)
    for case in reversed(begun):
        if case.closed_at is not None and at <= case.closed_at + window:
            return Placement(case.sequence, reopens=True)
    if len(begun) < len(living):
        return Placement(living[len(begun)].sequence)
    last = max(cases, key=_sequence, default=None)
    return Placement(last.sequence + 1, opens=True, parent_id=last.id) if last else Placement(0, opens=True)


def place_answer(cases: Sequence[KnownCase], at: int, window: int) -> str | None:
    """The id of the case that the brand's words at this time belong to: the last one begun that was open then, else the
    last one begun.

    Words shortly before the first case (the brand spoke first) belong to it too; older ones to none.
    """
    living = _living(cases)
    begun = _begun(living, at)
    if begun:
        return (_open_then(begun, at) or begun[-1]).id
    if living and living[0].opened_at - at <= window:
        return living[0].id
    return None


def _sequence(case: KnownCase) -> int:
    return case.sequence


def _living(cases: Sequence[KnownCase]) -> list[KnownCase]:
    return sorted((case for case in cases if not case.is_deleted), key=_sequence)


def _begun(living: Sequence[KnownCase], at: int) -> list[KnownCase]:
    """All up to the last one opened by then: of two that opened out of order both were there."""
    opened = [number for number, case in enumerate(living, start=1) if case.opened_at <= at]
    return list(living[: max(opened, default=0)])


def _open_then(begun: Sequence[KnownCase], at: int) -> KnownCase | None:
    return next((case for case in reversed(begun) if case.closed_at is None or at <= case.closed_at), None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What follows for a case from its interactions; times are epoch milliseconds.

    ``last_outbound_at`` is when a person of the brand last spoke, in a call of the customer's too.
    """

    channel: str
    source: str | None
    visibility: str | None
    subject: str | None
    opened_at: int
    first_inbound_at: int
    last_inbound_at: int
    first_response_at: int | None
    last_outbound_at: int | None
    moved_to_private_at: int | None
    inbound_touches: int
    outbound_touches: int


def figures(items: Iterable[Item]) -> Figures | None:
    """The figures of a case with these interactions; None when no customer has spoken in it.

    The response clock starts at the customer's first words, also when the brand spoke before; only a person's answer
    stops it, or the answering of the call. Deleted items count: they were said.
    """
    spoken = _in_order(items)
    inbound = [item for item in spoken if item.is_inbound]
    if not inbound:
        return None
    first = inbound[0]
    began = first.occurred_at or 0
    outbound = _outbound(spoken)
    return Figures(
        channel=first.channel,
        source=first.source,
        visibility=first.visibility,
        subject=_subject(inbound),
        opened_at=began,
        first_inbound_at=began,
        last_inbound_at=inbound[-1].occurred_at or 0,
        first_response_at=min(_answers(began, spoken), default=None),
        last_outbound_at=max([*outbound, *_picked_up(spoken)], default=None),
        moved_to_private_at=min(_private(first.visibility, began, spoken), default=None),
        inbound_touches=len(inbound),
        outbound_touches=len(outbound),
    )


Counted = tuple[object, ...]


def counted(item: Item) -> Counted:
    """What of an item goes into the figures of its case: while this stays, they stay."""
    return (
        item.kind, item.direction, item.author_role, item.occurred_at, item.visibility, item.channel, item.source,
        item.duration_seconds, item.extra,
    )  # fmt: skip


def figures_with(known: Figures, more: Iterable[Item]) -> Figures | None:
    """The figures of a case that these interactions came to as well, without a look at all the others.

    None where that look is needed: the customer's words among them are not later than the first ones, or may bring
    another subject.
    """
    spoken = _in_order(more)
    inbound = [item for item in spoken if item.is_inbound]
    began, last = known.first_inbound_at, known.last_inbound_at
    if inbound and (inbound[0].occurred_at or 0) <= began:
        return None
    subject = _subject(inbound)
    if subject and known.subject and (inbound[0].occurred_at or 0) <= last:
        return None
    outbound = _outbound(spoken)
    return replace(
        known,
        subject=known.subject or subject,
        last_inbound_at=max([last, *(item.occurred_at or 0 for item in inbound)]),
        first_response_at=_earliest(known.first_response_at, _answers(began, spoken)),
        last_outbound_at=max([*_known(known.last_outbound_at), *outbound, *_picked_up(spoken)], default=None),
        moved_to_private_at=_earliest(known.moved_to_private_at, _private(known.visibility, began, spoken)),
        inbound_touches=known.inbound_touches + len(inbound),
        outbound_touches=known.outbound_touches + len(outbound),
    )


def answered_at(item: Item) -> int | None:
    """When a person of the brand answered by this item: said something, or picked up the customer's call."""
    if item.is_answer:
        return item.occurred_at
    if item.is_inbound and item.kind == Kind.CALL and item.duration_seconds:
        waited = json.loads(item.extra).get("queue_wait_s")
        return (item.occurred_at or 0) + (waited * 1000 if isinstance(waited, int) and waited > 0 else 0)
    return None


def _in_order(items: Iterable[Item]) -> list[Item]:
    spoken = (item for item in items if item.kind is not None)
    return sorted(spoken, key=lambda item: (item.occurred_at or 0, item.id))


def _outbound(spoken: Sequence[Item]) -> list[int]:
    return [item.occurred_at or 0 for item in spoken if item.direction == Direction.OUTBOUND and _counts(item)]


def _picked_up(spoken: Sequence[Item]) -> list[int]:
    """When the brand spoke in calls of the customer's: who was on the phone waits for nobody when it is hung up."""
    return [moment for item in spoken if item.is_inbound and (moment := answered_at(item)) is not None]


def _counts(item: Item) -> bool:
    return item.author_role in (AuthorRole.AGENT, AuthorRole.UNKNOWN)


def _answers(began: int, spoken: Sequence[Item]) -> list[int]:
    return [moment for item in spoken if (moment := answered_at(item)) is not None and moment >= began]


def _known(moment: int | None) -> list[int]:
    return [] if moment is None else [moment]


def _earliest(known: int | None, more: Sequence[int]) -> int | None:
    return min([*_known(known), *more], default=None)


def _subject(inbound: Sequence[Item]) -> str | None:
    """The sender's own subject line; never made from what was said, since that can be deleted and a subject cannot."""
    for item in inbound:
        subject = json.loads(item.extra).get("subject") if item.extra != "{}" else None
        if isinstance(subject, str) and subject:
            return subject[:255]
    return None


def _private(begun_in: str | None, began: int, spoken: Sequence[Item]) -> list[int]:
    """When something was said in private in a case that began in public."""
    if begun_in != Visibility.PUBLIC:
        return []
    private = (item.occurred_at or 0 for item in spoken if item.visibility == Visibility.PRIVATE)
    return [moment for moment in private if moment >= began]

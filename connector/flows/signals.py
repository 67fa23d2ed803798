"""What customers do at a network that speaks about consent, handed to the consent flow in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.domain.events import Event, content_hash, from_millis
from connector.flows.board import Signal
from connector.flows.consent import network_signal, signal_of
from connector.flows.context import Context
from connector.store import ledger
from connector.store.unit_of_work import UnitOfWork


def take_turn_to_heed(uow: UnitOfWork, events: Iterable[Event]) -> None:
    """Waits for the turn to change consent where one of these events may, before anything that they touch is locked.

    Whoever records consent has that turn first, and then queues what these events may change too.
    """
    if any(signal_of(each.kind, "stop") is not None for each in events):
        ledger.take_turn(uow)


def heed_signals(uow: UnitOfWork, ctx: Context, signals: Sequence[Signal]) -> int:
    """How many entries of the ledger the signals made: acting at the network is as good as telling the brand."""
    made = 0
    for each in signals:
        told = signal_of(each.kind, each.value)
        if told is not None:
            key = content_hash(*each.event_key)
            made += len(network_signal(uow, ctx, each.profile_id, told, from_millis(each.at), key).changes)
    return made

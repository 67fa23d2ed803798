"""What customers do at a network that speaks about consent, handed to the consent flow in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from connector.domain.events import content_hash, from_millis
from connector.flows.board import Signal
from connector.flows.consent.holding import network_signal, review_bindings, signal_of
from connector.flows.context import Context
from connector.store.unit_of_work import UnitOfWork


def heed_signals(uow: UnitOfWork, ctx: Context, signals: Sequence[Signal], to_review: Collection[str]) -> int:
    """How many entries of the ledger the signals made: acting at the network is as good as telling the brand.

    ``to_review`` are profiles from consent records whose handle now belongs to an account it may not have been about.
    """
    made = 0
    for each in signals:
        told = signal_of(each.kind, each.value)
        if told is not None:
            key = content_hash(*each.event_key)
            made += len(network_signal(uow, ctx, each.profile_id, told, from_millis(each.at), key).changes)
    return made + (review_bindings(uow, ctx, to_review) if to_review else 0)

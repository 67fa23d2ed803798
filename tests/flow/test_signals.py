"""What a customer does at the network about consent is heeded in the same transaction as the event itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.domain.keys import derive_id
from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.store.tables import ledger, links
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, COMPANY, REGISTRY, Desk
from tests.flow.ingesting import NAMESPACE, make_context, rows, social_case
from tests.flow.test_ingest import deliver, post


@pytest.fixture
def ctx(store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source and the company's wordings."""
    return replace(make_context(store, clock), company=COMPANY, consent=REGISTRY)


def signal(what: str, number: int = 9) -> dict[str, Any]:
    """Something the story's customer did at the network."""
    told = social_case(number)
    told["type"], told["id"] = what, f"signal-{number}"
    del told["data"]["message"]
    return told


def linked(ctx: Context) -> tuple[Desk, str]:
    """The story's customer wrote and agreed to be linked; her profile."""
    post(ctx, social_case(1))
    ingest_once(ctx)
    desk = Desk(ctx)
    desk.contact(ADA)
    profile = derive_id(NAMESPACE, "profile", "community", "", "c1")
    desk.yes(profile)
    assert desk.reason(profile) == "allowed"
    return desk, profile


@pytest.mark.parametrize("what", ["account.unlinked", "access.revoked", "data.deletion_requested"])
def test_undoing_at_the_network_withdraws_here(ctx: Context, what: str) -> None:
    desk, profile = linked(ctx)
    post(ctx, signal(what))
    ingest_once(ctx)
    assert desk.reason(profile) == "withdrawn"
    assert [each["state"] for each in rows(ctx.store, links)] == ["withdrawn"]


def test_the_same_signal_again_writes_nothing(ctx: Context) -> None:
    linked(ctx)
    post(ctx, signal("account.unlinked"))
    ingest_once(ctx)
    before = len(rows(ctx.store, ledger))
    post(ctx, signal("account.unlinked"), social_case(2))
    assert ingest_once(ctx).duplicates == 1
    assert len(rows(ctx.store, ledger)) == before


def test_a_signal_of_somebody_unknown_makes_nobody_known(ctx: Context) -> None:
    deliver(ctx, "social_case", json.dumps(signal("data.deletion_requested")).encode())
    assert ingest_once(ctx).events == 1
    assert rows(ctx.store, links) == []

"""A request's own key writes once, for ever; another answer under the same key is refused, never swallowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.domain.consent import Answer
from connector.errors import IdempotencyConflict
from connector.flows import consent
from connector.flows.consent import RecordConsent
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, BEN, Desk, desk_on

KEY = "call-9"
YES = {"service": Answer.YES}
NO = {"service": Answer.NO}


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Desk:
    return desk_on(store, clock)


def under_key(
    desk: Desk, profile_id: str | None, contact_id: str, answers: dict[str, Answer], **more: Any
) -> RecordConsent:
    """An agent's record of an answer, under the one key."""
    return replace(desk.answer(profile_id, contact_id, answers), key=KEY, **more)


@pytest.mark.parametrize("answers", [NO, {"service": Answer.NOT_NOW}, {"service": Answer.YES, "marketing": Answer.NO}])
def test_another_answer_under_a_key_that_was_used_is_refused(desk: Desk, answers: dict[str, Answer]) -> None:
    """As when a form is taken back and sent again with No: a receipt of the yes would tell that the no was recorded."""
    account = desk.account("grace_p")
    first = consent.record(desk.ctx, under_key(desk, account, ADA, YES))
    with pytest.raises(IdempotencyConflict):
        consent.record(desk.ctx, under_key(desk, account, ADA, answers))
    assert consent.record(desk.ctx, under_key(desk, account, ADA, YES)) == first
    assert desk.ledger_size() == 1


def test_a_key_that_was_used_for_somebody_else_is_refused(desk: Desk) -> None:
    account = desk.account("grace_p")
    consent.record(desk.ctx, under_key(desk, account, ADA, YES))
    for other in (under_key(desk, account, BEN, YES), under_key(desk, desk.account("grace_two"), ADA, YES)):
        with pytest.raises(IdempotencyConflict):
            consent.record(desk.ctx, other)
    assert desk.ledger_size() == 1


def test_a_key_that_was_used_for_another_handle_is_refused(desk: Desk) -> None:
    """One call, two accounts: the second yes must not be taken for the first."""
    first = under_key(desk, None, ADA, YES, network="x", handle="@grace_p")
    receipt = consent.record(desk.ctx, first)
    with pytest.raises(IdempotencyConflict):
        consent.record(desk.ctx, replace(first, network="instagram"))
    assert consent.record(desk.ctx, first) == receipt


def test_the_same_request_again_gives_its_receipt_when_people_joined_and_parted_the_contact_since(desk: Desk) -> None:
    """The link went with the merge and stays there; the contact that it was recorded for lives again."""
    first = under_key(desk, desk.account("grace_p"), ADA, YES)
    receipt = consent.record(desk.ctx, first)
    consent.follow_merge(desk.ctx, ADA, BEN)
    written = desk.ledger_size()
    assert consent.record(desk.ctx, first) == receipt
    with pytest.raises(IdempotencyConflict):
        consent.record(desk.ctx, replace(first, answers=NO))
    assert desk.ledger_size() == written

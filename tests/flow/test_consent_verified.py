"""The ledger is held against what stands beside it: grants that were changed, evidence that was changed or removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update

from connector.domain.consent import Answer
from connector.domain.keys import derive_id
from connector.flows import consent
from connector.flows.consent import WithdrawConsent
from connector.store import vault
from connector.store.tables import evidence, grants, subject_keys
from connector.store.unit_of_work import Store, UnitOfWork
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, AGENT, BEN, NAMESPACE, PRIVACY, SECRET, Desk, desk_on


@pytest.fixture
def desk(any_store: Store, clock: FakeClock) -> Desk:
    """A story in which everything that can happen to a link has happened to one."""
    desk = desk_on(any_store, clock)
    told, refused, ended = desk.account("ada_l"), desk.account("ben_k"), desk.account("cay_m")
    desk.yes(told, ADA, "service", "marketing")
    desk.no(refused, BEN)
    desk.yes(ended, BEN)
    consent.withdraw(desk.ctx, WithdrawConsent(AGENT, profile_id=ended, words="Stop that, please"))
    desk.yes(None, BEN, network="x", handle="@dora_q")
    consent.follow_merge(desk.ctx, BEN, ADA)
    consent.disclose_evidence(desk.ctx, link_of(desk, told), PRIVACY)
    return desk


def link_of(desk: Desk, profile_id: str) -> str:
    return next(str(each.id) for each in desk.links() if each.profile_id == profile_id)


def test_what_was_not_touched_holds_also_when_evidence_was_shredded_in_its_time(desk: Desk, clock: FakeClock) -> None:
    assert consent.verify(desk.ctx).ok
    clock.move(days=1200)
    report = consent.expire_due(desk.ctx)
    assert report.changed
    assert report.shredded
    assert consent.verify(desk.ctx).ok


FORGED = {"wording": "May we send you offers?", "customer_words": "Yes"}
TAMPERED: Mapping[str, tuple[Callable[[UnitOfWork], object], str]] = {
    "a no made a yes": (
        lambda uow: uow.connection.execute(
            update(grants).where(grants.c.state == "refused").values(state="granted", expires_at=10**13)
        ),
        "grants",
    ),
    "a longer time": (
        lambda uow: uow.connection.execute(
            update(grants).where(grants.c.purpose == "service", grants.c.state == "granted").values(expires_at=10**13)
        ),
        "grants",
    ),
    "a withdrawal taken out": (
        lambda uow: uow.connection.execute(delete(grants).where(grants.c.state == "withdrawn")),
        "grants",
    ),
    "evidence taken out": (lambda uow: uow.connection.execute(delete(evidence)), "is gone"),
    "evidence shredded before its time": (
        lambda uow: (uow.connection.execute(delete(evidence)), uow.connection.execute(delete(subject_keys))),
        "is gone",
    ),
    "evidence that does not open": (
        lambda uow: uow.connection.execute(update(evidence).values(ciphertext=b"x" * 64)),
        "does not open",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_contradicts_the_ledger_is_named_with_its_entry(desk: Desk, what: str) -> None:
    tamper, problem = TAMPERED[what]
    with desk.store.begin() as uow:
        tamper(uow)
    found = consent.verify(desk.ctx)
    assert found.first_bad_seq is not None
    assert problem in found.problem


def test_a_grant_for_a_purpose_that_was_not_asked_is_found(desk: Desk) -> None:
    """The gate would go by it: the entry that it names is one of its own link."""
    with desk.store.begin() as uow:
        row = uow.connection.execute(select(grants).where(grants.c.purpose == "service")).mappings().first()
        assert row is not None
        uow.connection.execute(insert(grants).values({**row, "purpose": "analytics", "state": "granted"}))
    assert consent.verify(desk.ctx).first_bad_seq == row["seq"]


def test_evidence_that_was_sealed_anew_with_other_words_is_not_genuine(desk: Desk) -> None:
    """Somebody with the database and the secret key can write evidence that opens, but not what was committed to."""
    link_id = link_of(desk, derive_id(NAMESPACE, "profile", "x", "", "id-of-ada_l"))
    with desk.store.begin() as uow:
        kept = uow.connection.execute(select(evidence).where(evidence.c.link_id == link_id)).first()
        assert kept is not None
        uow.connection.execute(delete(evidence).where(evidence.c.id == kept.id))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vault, "random_id", lambda _kind: kept.id)
            vault.seal(uow, SECRET, link_id, kept.kind, FORGED, desk.ctx.clock())
    (shown,) = consent.disclose_evidence(desk.ctx, link_id, PRIVACY)
    assert (shown.is_genuine, shown.piece.content) == (False, FORGED)
    found = consent.verify(desk.ctx)
    assert "not what was taken down" in found.problem
    assert not consent.disclose_evidence(desk.ctx, link_id, PRIVACY)[0].is_genuine, "looking at it made it genuine"


def test_another_secret_key_is_said_and_not_taken_for_tampering(desk: Desk) -> None:
    found = consent.verify(replace(desk.ctx, secret_key="another key of forty characters, as it is"))
    assert "CONNECTOR_SECRET_KEY" in found.problem


def test_a_page_of_entries_ends_nowhere_in_particular(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in (1, 2, 3):
        monkeypatch.setattr("connector.flows.consent.verifying.PAGE", page)
        assert consent.verify(desk.ctx).ok
    with desk.store.begin() as uow:
        uow.connection.execute(delete(evidence).where(evidence.c.link_id == desk.links()[0].id))
    assert not consent.verify(desk.ctx).ok


def test_answers_of_every_kind_stand_with_their_entry(desk: Desk) -> None:
    account = desk.account("eve_r")
    said = {"service": Answer.YES, "personalisation": Answer.NO, "marketing": Answer.NOT_NOW, "analytics": Answer.YES}
    consent.record(desk.ctx, desk.answer(account, ADA, said))
    desk.no(account, ADA, "service")
    assert consent.verify(desk.ctx).ok
    assert len([each for each in desk.links() if each.profile_id == account]) == 1

"""The ledger, the vault and the published wordings on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from connector.domain.consent import Answer
from connector.errors import CoolingOff, MappingInvalid, Misconfigured
from connector.flows import consent
from connector.flows.consent import RecordConsent, WithdrawConsent, publish_notices
from connector.store import ledger as ledger_store
from connector.store import vault
from connector.store.ledger import NewEntry, append, canonical, verify_ledger
from connector.store.tables import evidence, grants, ledger, links, subject_keys
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, AGENT, REGISTRY, SECRET, Desk, desk_on

NOON = datetime(2026, 2, 2, 12, tzinfo=UTC)


@pytest.fixture
def desk(any_store: Store, clock: FakeClock) -> Desk:
    return desk_on(any_store, clock)


def write(store: Store, count: int) -> None:
    for number in range(count):
        with store.begin() as uow:
            append(uow, NewEntry("test", facts={"state": "active", "number": number}), NOON)


def check(store: Store) -> ledger_store.LedgerCheck:
    with store.read() as connection:
        return verify_ledger(connection)


def test_a_yes_and_its_undoing_reach_the_crm_on_both_databases(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}
    consent.withdraw(desk.ctx, WithdrawConsent(AGENT, profile_id=account))
    desk.drain()
    assert (desk.contacts_shown(account), desk.reason(account)) == ({None}, "withdrawn")
    assert check(desk.store).ok


def test_the_chain_holds_and_has_no_gap_when_many_write_at_once(any_store: Store) -> None:
    threads = [threading.Thread(target=write, args=(any_store, 10)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = check(any_store)
    assert (found.ok, found.size) == (True, 60)


def test_two_agents_who_record_at_once_make_one_link(desk: Desk) -> None:
    account = desk.account("grace_p")
    commands = [replace(desk.answer(account, ADA, {"service": Answer.YES}), key=f"key-{each}") for each in range(4)]
    threads = [threading.Thread(target=consent.record, args=(desk.ctx, each)) for each in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(desk.links()), desk.reason(account), desk.ledger_size()) == (1, "allowed", 4)


def test_a_yes_and_a_no_recorded_at_once_come_to_a_no(desk: Desk) -> None:
    """Whichever of two agents comes first: a no is not overruled, and a yes is taken back."""
    for number in range(5):
        account = desk.account(f"customer{number}")
        commands = [desk.answer(account, ADA, {"service": each}) for each in (Answer.YES, Answer.NO)]
        together = threading.Barrier(2)

        def tell(command: RecordConsent, together: threading.Barrier = together) -> None:
            together.wait()
            with suppress(CoolingOff):
                consent.record(desk.ctx, command)

        threads = [threading.Thread(target=tell, args=(each,)) for each in commands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert desk.reason(account) in ("withdrawn", "refused")
    assert check(desk.store).ok


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_change_the_ledger(any_store: Store, verb: str) -> None:
    write(any_store, 1)
    statement = update(ledger).values(type="other") if verb == "update" else delete(ledger)
    with pytest.raises(DatabaseError, match="append-only"), any_store.begin() as uow:
        uow.connection.execute(statement)
    assert check(any_store).ok


def rehash(store: Store, seq: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a body and makes its own hash fit, as somebody with the database's rights could."""
    with store.begin() as uow:
        row = uow.connection.execute(select(ledger.c.body).where(ledger.c.seq == seq)).scalar_one()
        body = json.loads(row)
        change(body)
        changed = canonical(body)
        values = {"body": changed, "hash": ledger_store.leaf_hash(changed)}
        uow.connection.execute(update(ledger).where(ledger.c.seq == seq).values(**values))


def flip(store: Store, column: str, seq: int) -> None:
    with store.begin() as uow:
        value = uow.connection.execute(select(ledger.c[column]).where(ledger.c.seq == seq)).scalar_one()
        flipped = bytes([value[0] ^ 1]) + value[1:]
        uow.connection.execute(update(ledger).where(ledger.c.seq == seq).values({column: flipped}))


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (lambda store: flip(store, "body", 5), 5),
        (lambda store: flip(store, "hash", 5), 5),
        (lambda store: flip(store, "prev", 5), 5),
        (lambda store: rehash(store, 5, lambda body: body.update(number=99)), 6),
        (lambda store: set_column(store, 5, type="other"), 5),
        (lambda store: set_column(store, 5, at=7), 5),
        (lambda store: remove(store, 5), 5),
        (lambda store: remove(store, 1), 1),
    ],
    ids=["body", "hash", "prev", "body with its hash", "type column", "time column", "entry gone", "first gone"],
)
def test_verifying_names_the_first_entry_that_is_not_as_it_was_written(
    store: Store, tamper: Callable[[Store], None], first_bad: int
) -> None:
    write(store, 9)
    without_triggers(store)
    tamper(store)
    found = check(store)
    assert (found.ok, found.first_bad_seq) == (False, first_bad)
    assert found.problem


def test_a_tail_cut_off_shows_where_grants_rest_on_it(desk: Desk) -> None:
    if not desk.store.is_sqlite:
        pytest.skip("PostgreSQL's trigger cannot be dropped in the shared test schema")
    desk.yes(desk.account("grace_p"))
    without_triggers(desk.store)
    remove(desk.store, 1)
    assert check(desk.store).first_bad_seq == 1
    assert "Grants rest on entry 1" in check(desk.store).problem


def without_triggers(store: Store) -> None:
    with store.begin() as uow:
        for verb in ("update", "delete"):
            uow.connection.execute(text(f"DROP TRIGGER ledger_no_{verb}"))


def set_column(store: Store, seq: int, **values: Any) -> None:
    with store.begin() as uow:
        uow.connection.execute(update(ledger).where(ledger.c.seq == seq).values(**values))


def remove(store: Store, seq: int) -> None:
    with store.begin() as uow:
        uow.connection.execute(delete(ledger).where(ledger.c.seq == seq))


def test_an_entry_is_never_dated_before_the_last(any_store: Store) -> None:
    with any_store.begin() as uow:
        append(uow, NewEntry("test"), NOON)
        earlier = append(uow, NewEntry("test"), datetime(2026, 2, 1, tzinfo=UTC))
    assert earlier.at == NOON
    assert check(any_store).ok


@pytest.mark.parametrize("value", [1.5, 2**53, {"ключ": 1}])
def test_a_body_holds_only_what_has_one_spelling(value: Any) -> None:
    with pytest.raises(ValueError, match="ledger body"):
        canonical({"value": value})


def link_on(desk: Desk) -> str:
    return desk.yes(desk.account("grace_p")).first.link_id


def test_evidence_opens_and_equals_what_the_ledger_committed_to(desk: Desk) -> None:
    link_id = link_on(desk)
    with desk.store.read() as connection:
        (opened,) = vault.open_evidence(connection, SECRET, link_id)
        body = json.loads(connection.execute(select(ledger.c.body)).scalar_one())
        sealed = connection.execute(select(evidence.c.ciphertext)).scalar_one()
    assert body["evidence"] == [{"id": opened.evidence_id, "com": opened.commitment.digest}]
    assert b"that is fine" not in sealed
    assert opened.content["customer_words"] == "Yes, that is fine"


@pytest.mark.parametrize("spoil", ["key", "row", "other link's row"])
def test_evidence_that_was_moved_changed_or_kept_under_another_key_does_not_open(desk: Desk, spoil: str) -> None:
    link_id = link_on(desk)
    with desk.store.begin() as uow:
        sealed = uow.connection.execute(select(evidence.c.ciphertext)).scalar_one()
        if spoil == "row":
            uow.connection.execute(update(evidence).values(ciphertext=sealed[:-1] + bytes([sealed[-1] ^ 1])))
        elif spoil == "other link's row":
            uow.connection.execute(update(evidence).values(id="ev_other"))
    with desk.store.read() as connection, pytest.raises(Misconfigured, match="CONNECTOR_SECRET_KEY"):
        vault.open_evidence(connection, "another key" if spoil == "key" else SECRET, link_id)


def test_without_a_secret_key_nothing_is_recorded(desk: Desk) -> None:
    keyless = Desk(replace(desk.ctx, secret_key=""))
    with pytest.raises(Misconfigured, match="openssl rand"):
        keyless.yes(desk.account("grace_p"))
    assert (desk.links(), desk.ledger_size()) == ([], 0)


def test_shredded_evidence_is_gone_and_the_chain_still_holds(desk: Desk) -> None:
    link_id = link_on(desk)
    with desk.store.begin() as uow:
        assert vault.shred(uow, link_id) == 1
    with desk.store.read() as connection:
        assert vault.open_evidence(connection, SECRET, link_id) == []
        assert connection.execute(select(subject_keys)).all() == []
    assert check(desk.store).ok


def test_a_grant_put_in_by_hand_permits_nothing(desk: Desk) -> None:
    """The gate asks for the ledger's entry behind a grant, not for the row alone."""
    account = desk.account("grace_p")
    now = round(desk.ctx.clock().timestamp() * 1000)
    link = {"id": "lnk_hand", "profile_id": account, "contact_id": ADA, "state": "active", "h": 3, "c": 3}
    grant = {"link_id": "lnk_hand", "purpose": "service", "seq": 1, "state": "granted", "decided_at": now}
    with desk.store.begin() as uow:
        uow.connection.execute(insert(links).values(**link, asked_at=now, by="by hand"))
        more = {"notice_id": "phone", "notice_version": "1", "granted_at": now, "expires_at": now + 10**9}
        uow.connection.execute(insert(grants).values(**grant, **more))
    assert desk.reason(account) == "no_grant"


def test_an_entry_about_another_link_is_no_ground_for_a_grant(desk: Desk) -> None:
    """Each grant rests on the entry that was written about its own link."""
    told = desk.yes(desk.account("ada_l")).first
    account = desk.account("grace_p")
    own = desk.yes(account).first
    assert desk.reason(account) == "allowed"
    with desk.store.begin() as uow:
        uow.connection.execute(update(grants).where(grants.c.link_id == own.link_id).values(seq=told.seq))
    assert desk.reason(account) == "no_grant"


def test_wordings_are_published_once(any_store: Store) -> None:
    assert publish_notices(any_store, REGISTRY, NOON) == len(REGISTRY.notices)
    assert publish_notices(any_store, REGISTRY, NOON) == 0
    with any_store.read() as connection:
        assert {entry.type for entry in ledger_store.entries(connection)} == {"notice_published"}
    assert check(any_store).ok


@pytest.mark.parametrize("change", [{"text": "{company}?"}, {"material": True}, {"purposes": frozenset({"marketing"})}])
def test_a_published_wording_never_changes(store: Store, change: dict[str, Any]) -> None:
    publish_notices(store, REGISTRY, NOON)
    first, *rest = REGISTRY.notices
    changed = replace(REGISTRY, notices=(replace(first, **change), *rest))
    with pytest.raises(MappingInvalid) as refused:
        publish_notices(store, changed, NOON)
    (problem,) = refused.value.problems
    assert problem.where.startswith(f"notices/{first.id}.yml:")
    assert "cannot change" in problem.what
    assert "new version" in problem.cure


def test_a_published_wording_never_disappears(store: Store) -> None:
    publish_notices(store, REGISTRY, NOON)
    with pytest.raises(MappingInvalid, match="is missing"):
        publish_notices(store, replace(REGISTRY, notices=REGISTRY.notices[1:]), NOON)

"""What a customer, an agent and a privacy officer see happen; each test is named after what holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.domain.channels import Channel, Kind
from connector.domain.consent import Answer, Assurance, Evidence, HoldReason, Method
from connector.domain.events import Author
from connector.domain.links import Permit
from connector.errors import (
    Conflict,
    ContactNotFound,
    CoolingOff,
    EvidenceMissing,
    Forbidden,
    HandleInvalid,
    InputInvalid,
    Misconfigured,
    NotFound,
    NoticeMismatch,
)
from connector.flows import consent
from connector.flows.applying import apply_events
from connector.flows.consent import NetworkSignal, WithdrawConsent
from connector.store.tables import crm_contacts, ledger, social_profiles
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.consent_world import with_new_version
from tests.flow.consenting import ADA, AGENT, BEN, CUSTOMER, OTHER_AGENT, PRIVACY, Desk, desk_on, script
from tests.flow.ingesting import DESK, arrivals, said

SERVICE_YES = {"service": Answer.YES}


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Desk:
    return desk_on(store, clock)


def test_an_unknown_account_gets_a_case_without_a_contact_and_no_entry_in_the_ledger(desk: Desk) -> None:
    account = desk.account("grace_p")
    written = desk.drain()
    assert {write.obj for write in written} == {"Social_Profile__c", "Case", "Channel_Interaction__c"}
    assert desk.contacts_shown(account) == {None}
    assert (desk.reason(account), desk.ledger_size(), desk.links()) == ("no_link", 0, [])


def test_a_recorded_yes_attaches_past_and_later_cases_and_gives_a_receipt(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.drain()
    receipt = desk.yes(account)
    desk.drain()
    desk.case(account, 1)
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}
    assert (receipt.first.seq, receipt.first.state, receipt.first.purposes) == (1, "active", {"service": "granted"})
    assert len(receipt.first.hash) == 64


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"answers": {}}, EvidenceMissing),
        ({"evidence": Evidence(wording="", customer_words="Yes")}, EvidenceMissing),
        ({"words": ""}, EvidenceMissing),
        ({"evidence": Evidence(wording="May we?", customer_words="Yes")}, NoticeMismatch),
        ({"notice_version": "0"}, NoticeMismatch),
        ({"notice_id": "nothing"}, NoticeMismatch),
        ({"lang": "de"}, NoticeMismatch),
        ({"answers": {"service": Answer.YES, "marketing": Answer.YES}}, NoticeMismatch),
        ({"contact_id": "003000000000009AAA"}, ContactNotFound),
        ({"profile_id": "no-such-account"}, NotFound),
        ({"profile_id": None}, InputInvalid),
        ({"profile_id": None, "network": "x", "handle": "two words"}, HandleInvalid),
        ({"profile_id": None, "network": "carrier pigeon", "handle": "grace"}, InputInvalid),
        ({"method": Method.SIGN_IN}, InputInvalid),
        ({"said_in": timedelta(hours=1)}, InputInvalid),
        ({"said_in": -timedelta(days=31)}, InputInvalid),
    ],
)
def test_an_answer_that_would_prove_nothing_is_refused_and_writes_nothing(
    desk: Desk, change: dict[str, Any], refusal: type[Exception]
) -> None:
    account = desk.account("grace_p")
    desk.drain()
    command = desk.answer(account, ADA, SERVICE_YES)
    evidence = command.evidence
    if "words" in change:
        evidence = replace(evidence, customer_words=change["words"])
    if "said_in" in change:
        evidence = replace(evidence, said_at=desk.ctx.clock() + change["said_in"])
    fields = {name: value for name, value in change.items() if name not in ("words", "said_in")}
    with pytest.raises(refusal):
        consent.record(desk.ctx, replace(replace(command, evidence=evidence), **fields))
    assert (desk.ledger_size(), desk.links(), desk.drain()) == (0, [], [])


def test_the_wording_may_differ_in_line_breaks_only(desk: Desk) -> None:
    account = desk.account("grace_p")
    command = desk.answer(account, ADA, SERVICE_YES)
    broken = replace(command.evidence, wording=command.evidence.wording.replace(". ", ".\n\n"))
    assert consent.record(desk.ctx, replace(command, evidence=broken)).changed


def test_a_company_without_a_name_cannot_ask(desk: Desk) -> None:
    nameless = Desk(replace(desk.ctx, company=""))
    with pytest.raises(Misconfigured, match="CONNECTOR_COMPANY"):
        script(nameless)


def test_after_a_no_nobody_asks_again_for_ninety_days(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    assert desk.no(account).first.state == "declined"
    clock.move(hours=1)
    with pytest.raises(CoolingOff) as refused:
        desk.yes(account)
    assert refused.value.until == clock() - timedelta(hours=1) + timedelta(days=90)
    assert "2026-05-03" in refused.value.message
    assert desk.reason(account) == "refused"
    clock.move(days=90)
    assert desk.yes(account).first.state == "active"


def test_after_a_not_now_it_may_be_asked_again_in_fourteen_days(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    receipt = consent.record(desk.ctx, desk.answer(account, ADA, {"service": Answer.NOT_NOW}))
    assert receipt.first.state == "deferred"
    clock.move(days=13)
    with pytest.raises(CoolingOff):
        desk.yes(account)
    clock.move(days=1)
    assert desk.yes(account).changed


@pytest.mark.parametrize("by", ["key", "time"])
def test_the_same_request_again_gives_the_same_receipt_and_one_entry(desk: Desk, clock: FakeClock, by: str) -> None:
    account = desk.account("grace_p")
    command = desk.answer(account, ADA, SERVICE_YES)
    if by == "key":
        command = replace(command, key="request-1")
    else:
        command = replace(command, evidence=replace(command.evidence, said_at=clock()))
    first = consent.record(desk.ctx, command)
    desk.undo(account)
    clock.move(minutes=1)
    assert consent.record(desk.ctx, command) == first
    assert (desk.ledger_size(), desk.reason(account)) == (2, "withdrawn")


def test_each_purpose_has_its_own_answer(desk: Desk) -> None:
    account = desk.account("grace_p")
    answers = {"service": Answer.YES, "marketing": Answer.NO, "analytics": Answer.NOT_NOW}
    consent.record(desk.ctx, desk.answer(account, ADA, answers))
    asked = ("timeline.view", "export.audience", "survey.send", "agent.hints", "made.up")
    assert [desk.reason(account, operation) for operation in asked] == [
        "allowed", "refused", "no_grant", "no_grant", "unmapped_operation",
    ]  # fmt: skip


def test_a_purpose_below_its_level_is_recorded_and_denied_until_it_is_proven(desk: Desk) -> None:
    account = desk.account("grace_p")
    receipt = desk.yes(account, ADA, "service", "marketing")
    assert desk.reason(account, "message.promo") == "level_too_low"
    consent.prove(desk.ctx, receipt.first.link_id, Assurance(2, 2), CUSTOMER)
    assert desk.reason(account, "message.promo") == "allowed"
    assert not consent.prove(desk.ctx, receipt.first.link_id, Assurance(1, 2), CUSTOMER).changed


def test_a_withdrawal_detaches_past_and_later_cases_everywhere(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.drain()
    receipt = desk.undo(account, words="Please disconnect me")
    assert desk.reason(account) == "withdrawn"
    desk.drain()
    desk.case(account, 1)
    desk.drain()
    assert desk.contacts_shown(account) == {None}
    assert receipt.first.purposes == {"service": "withdrawn"}
    assert not desk.undo(account).changed


def test_undoing_one_purpose_leaves_the_others(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account, ADA, "service", "analytics")
    desk.undo(account, purposes=frozenset({"analytics"}))
    assert (desk.reason(account), desk.reason(account, "survey.send")) == ("allowed", "withdrawn")
    desk.undo(account, purposes=frozenset({"service"}))
    assert desk.links()[0].state == "withdrawn"


def test_a_late_withdrawal_leaves_what_was_granted_after_it(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    said_at = clock()
    clock.move(hours=1)
    desk.yes(account)
    assert not desk.undo(account, said_at=said_at).changed
    assert desk.reason(account) == "allowed"


@pytest.mark.parametrize("minutes", [30, 0])
def test_a_late_yes_does_not_outlive_the_no_that_followed_it(desk: Desk, clock: FakeClock, minutes: int) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    clock.move(hours=1)
    desk.undo(account)
    command = desk.answer(account, ADA, SERVICE_YES)
    late = replace(command.evidence, said_at=clock() - timedelta(minutes=minutes))
    clock.move(hours=1)
    with pytest.raises(Conflict, match="ask again"):
        consent.record(desk.ctx, replace(command, evidence=late))
    assert desk.yes(account).first.state == "active"


def test_what_is_said_now_undoes_also_what_a_clock_ahead_of_ours_has_written(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    clock.move(hours=-3)
    assert desk.undo(account).changed
    assert desk.reason(account) == "withdrawn"


def test_a_yes_that_lies_in_the_future_does_not_outlive_a_withdrawal_that_tells_its_time(
    desk: Desk, clock: FakeClock
) -> None:
    """The clock was set back an hour between the two: what the network tells is older than the yes, by the clock."""
    account = desk.account("grace_p")
    desk.yes(account, ADA, "service", "marketing")
    said_at = clock.move(hours=-1)
    clock.move(minutes=10)
    with desk.store.begin() as uow:
        consent.network_signal(uow, desk.ctx, account, NetworkSignal.MARKETING_STOP, said_at, "stop")
    assert desk.reason(account, "message.promo") == "withdrawn"
    assert desk.undo(account, said_at=said_at).changed
    assert desk.reason(account) == "withdrawn"


def test_what_waits_to_be_asked_again_is_undone_too(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account, ADA, "service", "marketing")
    changed = with_new_version(desk.ctx.consent, 2, clock.move(minutes=1))
    desk.ctx = replace(desk.ctx, consent=changed)
    consent.expire_due(desk.ctx)
    assert desk.reason(account) == "notice_stale"
    assert desk.undo(account, purposes=frozenset({"marketing"})).first.purposes == {"marketing": "withdrawn"}
    assert desk.undo(account).first.purposes == {"service": "withdrawn"}
    assert [row.state for row in desk.links()] == ["withdrawn"]


def test_what_was_put_off_is_undone_too(desk: Desk) -> None:
    account = desk.account("grace_p")
    consent.record(desk.ctx, desk.answer(account, ADA, {"service": Answer.NOT_NOW}))
    assert desk.undo(account).changed
    assert [row.state for row in desk.links()] == ["withdrawn"]


@pytest.mark.parametrize(("minutes", "state"), [(4, "withdrawn"), (6, "active")])
def test_a_networks_clock_may_be_a_little_behind_ours(desk: Desk, clock: FakeClock, minutes: int, state: str) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.undo(account, said_at=clock() - timedelta(minutes=minutes))
    assert [row.state for row in desk.links()] == [state]


def test_unlink_all_reaches_every_account_of_the_contact(desk: Desk) -> None:
    accounts = [desk.account("grace_p"), desk.account("grace.p", "instagram")]
    for each in accounts:
        desk.yes(each)
    receipt = consent.withdraw(desk.ctx, WithdrawConsent(CUSTOMER, contact_id=ADA, key="all"))
    assert len(receipt.changes) == 2
    assert {desk.reason(each) for each in accounts} == {"withdrawn"}
    assert consent.withdraw(desk.ctx, WithdrawConsent(CUSTOMER, contact_id=ADA, key="all")) == receipt


def test_withdrawing_needs_no_proof_but_something_to_undo(desk: Desk) -> None:
    with pytest.raises(NotFound):
        consent.withdraw(desk.ctx, WithdrawConsent(AGENT, link_id="lnk_none"))
    with pytest.raises(InputInvalid):
        consent.withdraw(desk.ctx, WithdrawConsent(AGENT))
    with pytest.raises(InputInvalid, match="no purpose"):
        consent.withdraw(desk.ctx, WithdrawConsent(AGENT, contact_id=ADA, purposes=frozenset({"everything"})))


def test_a_second_persons_yes_makes_the_account_ambiguous_and_takes_the_first_contact_away(desk: Desk) -> None:
    account = desk.account("family_account")
    desk.yes(account)
    desk.drain()
    desk.yes(account, BEN)
    assert desk.reason(account) == "ambiguous"
    desk.drain()
    assert desk.contacts_shown(account) == {None}
    consent.withdraw(desk.ctx, WithdrawConsent(AGENT, profile_id=account, contact_id=BEN))
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}


def test_consent_ends_with_its_time_and_not_by_activity(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.drain()
    clock.move(days=730)
    assert desk.reason(account) == "grant_expired"
    assert consent.expire_due(desk.ctx).expired == 1
    desk.drain()
    assert desk.contacts_shown(account) == {None}
    assert desk.links()[0].state == "expired"
    assert consent.expire_due(desk.ctx).changed == 0


def test_a_yes_by_a_clock_ahead_of_ours_counts_from_now(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    command = desk.answer(account, ADA, SERVICE_YES)
    ahead = replace(command.evidence, said_at=clock() + timedelta(minutes=4))
    consent.record(desk.ctx, replace(command, evidence=ahead))
    clock.move(days=730)
    assert desk.reason(account) == "grant_expired"


def test_a_renewed_yes_counts_from_its_own_day(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    clock.move(days=700)
    assert desk.yes(account).first.type == "renewed"
    clock.move(days=100)
    assert (desk.reason(account), len(desk.links())) == ("allowed", 1)


@pytest.mark.parametrize("spoken", ["@Grace_P", "https://x.com/Grace_P", "twitter.com/grace_p/status/1", "grace_p"])
def test_a_spoken_handle_finds_the_account_that_has_it(desk: Desk, spoken: str) -> None:
    account = desk.account("grace_p")
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="twitter", handle=spoken))
    assert desk.reason(account) == "allowed"


def test_a_handle_nobody_has_seen_waits_ninety_days_for_its_account(desk: Desk, clock: FakeClock) -> None:
    for _ in range(2):
        consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@not_seen_yet"))
    (waiting,) = desk.links()
    clock.move(days=89)
    assert consent.expire_due(desk.ctx).never_seen == 0
    clock.move(days=2)
    assert consent.expire_due(desk.ctx).never_seen == 1
    assert (desk.links()[0].state, desk.reason(waiting.profile_id)) == ("expired", "grant_expired")


def test_a_handle_whose_account_shows_up_too_late_is_bound_to_nothing(desk: Desk, clock: FakeClock) -> None:
    """Also where the round of the clock was late itself, as after days without a worker."""
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@late_bird"))
    clock.move(days=95)
    account = desk.account("late_bird")
    report = consent.expire_due(desk.ctx)
    assert (report.never_seen, report.bound) == (1, 0)
    assert desk.reason(account) == "no_link"


def test_a_handle_moves_to_its_account_when_that_shows_up(desk: Desk) -> None:
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@late_bird"))
    (waiting,) = desk.links()
    desk.drain()
    account = desk.account("late_bird")
    assert consent.expire_due(desk.ctx).bound == 1
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}
    assert desk.contacts_shown(waiting.profile_id) == {None}
    assert consent.expire_due(desk.ctx).bound == 0


def test_a_handle_that_was_bound_and_given_up_is_claimed_anew_for_whoever_has_it_next(
    desk: Desk, clock: FakeClock
) -> None:
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@grace_p"))
    first = desk.account("grace_p")
    consent.expire_due(desk.ctx)
    rename(desk, first, "gp_1990")
    clock.move(days=3)
    consent.record(desk.ctx, desk.answer(None, BEN, SERVICE_YES, network="x", handle="@grace_p"))
    assert desk.reason(first) == "allowed"
    clock.move(days=3)
    second = desk.account("newcomer")
    rename(desk, second, "grace_p")
    consent.expire_due(desk.ctx)
    assert {row.contact_id: row.profile_id for row in desk.links()} == {ADA: first, BEN: second}


def rename(desk: Desk, profile_id: str, handle: str) -> None:
    """The network tells that the account has another handle now."""
    with desk.store.begin() as uow:
        renamed = update(social_profiles).where(social_profiles.c.id == profile_id)
        uow.connection.execute(renamed.values(handle=handle, handle_key=handle))


def test_an_id_that_looks_like_a_spoken_handle_is_another_account(desk: Desk) -> None:
    """Some senders' ids begin with an @: what was agreed to for the handle must not meet them by their spelling."""
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@grace_p"))
    post = said("post-1", 1, by="@grace_p", author=Author(external_id="@grace_p", handle="somebody_else"))
    with desk.store.begin() as uow:
        assert apply_events(uow, DESK, arrivals([post])).applied == 1
    consent.expire_due(desk.ctx)
    with desk.store.read() as connection:
        columns = select(social_profiles.c.id).where(social_profiles.c.external_id == "@grace_p")
        account = connection.execute(columns).scalar_one()
    assert desk.reason(account) == "no_link"


def test_a_handle_spoken_for_two_people_names_neither_until_one_takes_it_back(desk: Desk) -> None:
    for contact in (ADA, BEN):
        consent.record(desk.ctx, desk.answer(None, contact, SERVICE_YES, network="x", handle="@family_of_two"))
    spoken = desk.links()[0].profile_id
    assert desk.reason(spoken) == "ambiguous"
    account = desk.account("family_of_two")
    consent.expire_due(desk.ctx)
    desk.drain()
    assert (desk.reason(account), desk.contacts_shown(account)) == ("ambiguous", {None})
    consent.withdraw(desk.ctx, WithdrawConsent(CUSTOMER, contact_id=BEN))
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}


def test_a_handle_that_several_accounts_have_is_nobodys_until_a_person_says_whose(desk: Desk) -> None:
    spoken = desk.answer(None, ADA, SERVICE_YES, network="x", handle="@grace_p")
    consent.record(desk.ctx, spoken)
    accounts = [desk.account(name) for name in ("one", "two")]
    for account in accounts:
        rename(desk, account, "grace_p")
    consent.expire_due(desk.ctx)
    desk.drain()
    [waiting] = desk.links()
    assert waiting.profile_id not in accounts
    assert [desk.reason(each) for each in (*accounts, waiting.profile_id)] == ["no_link", "no_link", "hold"]
    assert set(desk.shown.values()) == {None}
    before = desk.ledger_size()
    with pytest.raises(Conflict, match="Several accounts"):
        consent.record(desk.ctx, spoken)
    assert desk.ledger_size() == before


def test_a_spoken_handle_that_turns_out_to_be_the_companys_own_is_bound_to_nothing(desk: Desk) -> None:
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@riverbend"))
    brand = desk.account("riverbend", kind="brand")
    assert consent.expire_due(desk.ctx).bound == 0
    assert desk.reason(brand) == "no_link"


def test_an_account_younger_than_the_consent_waits_for_a_person(desk: Desk, clock: FakeClock) -> None:
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@late_bird"))
    clock.move(days=3)
    account = desk.account("late_bird", account_created_at=round(clock().timestamp() * 1000))
    consent.expire_due(desk.ctx)
    (waiting,) = desk.links()
    assert (desk.reason(account), desk.reason(waiting.profile_id)) == ("no_link", "hold")


@pytest.mark.parametrize("known", [True, False])
def test_an_account_that_took_the_handle_by_a_rename_waits_for_a_person(
    desk: Desk, clock: FakeClock, known: bool
) -> None:
    """Whoever had the handle when the customer said it may have given it up since, and somebody else taken it."""

    def writes(number: int, handle: str) -> None:
        post = said(f"post-{number}", number, by="u-7", author=Author(external_id="u-7", handle=handle))
        with desk.store.begin() as uow:
            assert apply_events(uow, DESK, arrivals([post])).applied == 1

    if known:
        writes(1, "another_name")
    consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="@late_bird"))
    (waiting,) = desk.links()
    if not known:
        writes(1, "another_name")
    writes(2, "late_bird")
    consent.expire_due(desk.ctx)
    assert desk.reason(waiting.profile_id) == "hold"
    with desk.store.read() as connection:
        columns = select(social_profiles.c.id).where(social_profiles.c.external_id == "u-7")
        assert desk.reason(connection.execute(columns).scalar_one()) == "no_link"


def test_a_rename_keeps_the_link(desk: Desk) -> None:
    account = desk.account("old_name")
    desk.yes(account)
    with desk.store.begin() as uow:
        renamed = update(social_profiles).where(social_profiles.c.id == account)
        uow.connection.execute(renamed.values(handle="new_name", handle_key="new_name"))
    assert desk.reason(account) == "allowed"


def test_the_companys_own_account_is_never_a_customers(desk: Desk) -> None:
    brand = desk.account("riverbend", kind="brand")
    with pytest.raises(InputInvalid, match="company itself"):
        desk.yes(brand)
    with pytest.raises(InputInvalid, match="company itself"):
        consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="riverbend"))


def test_when_two_contacts_become_one_the_stricter_answer_holds(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account, ADA, "service", "marketing")
    desk.undo(account, contact_id=ADA, purposes=frozenset({"marketing"}))
    desk.yes(account, BEN, "service", "marketing")
    for each in desk.links():
        consent.prove(desk.ctx, each.id, Assurance(2, 2), CUSTOMER)
    assert desk.reason(account) == "ambiguous"
    receipt = consent.follow_merge(desk.ctx, ADA, BEN)
    assert {change.type for change in receipt.changes} == {"superseded", "merged"}
    assert (desk.reason(account), desk.reason(account, "message.promo")) == ("allowed", "withdrawn")
    assert [row.state for row in desk.links() if row.state in ("asked", "active")] == ["active"]
    desk.drain()
    assert desk.contacts_shown(account) == {BEN}
    assert not consent.follow_merge(desk.ctx, ADA, BEN).changed


def test_when_two_contacts_become_one_the_weaker_proof_and_every_hold_stay(desk: Desk) -> None:
    account = desk.account("grace_p")
    first = desk.yes(account, ADA).first.link_id
    consent.prove(desk.ctx, first, Assurance(2, 2), CUSTOMER)
    consent.hold(desk.ctx, first, HoldReason.DISPUTE, PRIVACY)
    desk.yes(account, BEN)
    consent.follow_merge(desk.ctx, ADA, BEN)
    [stays] = [row for row in desk.links() if row.state == "active"]
    assert (stays.h, stays.c, stays.contact_id) == (1, 1, BEN)
    assert (desk.reason(account), stays.id != first) == ("hold", True)


def test_when_two_contacts_become_one_the_earlier_end_holds(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account, ADA)
    clock.move(days=100)
    desk.yes(account, BEN)
    consent.follow_merge(desk.ctx, ADA, BEN)
    clock.move(days=629)
    assert desk.reason(account) == "allowed"
    clock.move(days=1)
    assert desk.reason(account) == "grant_expired"


@pytest.mark.parametrize(("first", "second"), [(ADA, BEN), (BEN, ADA)])
def test_when_two_contacts_become_one_the_older_wording_must_be_asked_again(
    desk: Desk, clock: FakeClock, first: str, second: str
) -> None:
    account = desk.account("grace_p")
    desk.yes(account, first)
    clock.move(days=1)
    desk.ctx = replace(desk.ctx, consent=with_new_version(desk.ctx.consent, 2, clock()))
    desk.yes(account, second)
    consent.follow_merge(desk.ctx, ADA, BEN)
    assert desk.reason(account) == "notice_stale"
    desk.yes(account, BEN)
    assert desk.reason(account) == "allowed"


def test_revoking_ends_whatever_the_pair_was_asked(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    consent.record(desk.ctx, desk.answer(account, ADA, {"service": Answer.NOT_NOW}))
    clock.move(days=15)
    link = desk.yes(account).first.link_id
    consent.revoke(desk.ctx, link, PRIVACY, "recorded for the wrong customer")
    assert {row.state for row in desk.links()} == {"revoked"}


def test_a_withdrawal_of_one_record_outlives_the_joining_with_another(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.undo(account)
    desk.yes(account, BEN)
    consent.follow_merge(desk.ctx, ADA, BEN)
    assert desk.reason(account) == "withdrawn"


def test_a_no_to_one_record_keeps_everybody_from_asking_under_the_one_it_was_joined_into(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.no(account)
    consent.follow_merge(desk.ctx, ADA, BEN)
    assert {row.contact_id for row in desk.links()} == {BEN}
    with pytest.raises(CoolingOff):
        desk.yes(account, BEN)
    assert desk.reason(account) == "refused"


def test_a_link_follows_its_contact_through_a_chain_of_merges(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.contact("003000000000004AAA")
    desk.yes(account)
    with desk.store.begin() as uow:
        joined = update(crm_contacts).where(crm_contacts.c.crm_id == BEN)
        uow.connection.execute(joined.values(is_deleted=True, master_id="003000000000004AAA"))
    consent.follow_merge(desk.ctx, ADA, BEN)
    answer = desk.gate(account)
    assert isinstance(answer, Permit)
    assert answer.contact_id == "003000000000004AAA"


@pytest.mark.parametrize("masters", [{BEN: ADA}, {BEN: ADA, ADA: BEN}], ids=["back again", "a ring"])
def test_merges_that_lead_nowhere_let_the_link_rest_where_it_is(desk: Desk, masters: dict[str, str]) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    with desk.store.begin() as uow:
        for contact, master in masters.items():
            joined = update(crm_contacts).where(crm_contacts.c.crm_id == contact)
            uow.connection.execute(joined.values(is_deleted=True, master_id=master))
    assert [each.type for each in consent.follow_merge(desk.ctx, ADA, BEN).changes] == ["hold"]
    [link] = desk.links()
    assert (link.contact_id, desk.reason(account)) == (ADA, "hold")


def test_a_deleted_contact_closes_the_gate_at_once_and_its_return_opens_it(desk: Desk) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.drain()
    with desk.store.begin() as uow:
        uow.connection.execute(update(crm_contacts).where(crm_contacts.c.crm_id == ADA).values(is_deleted=True))
    assert desk.reason(account) == "contact_missing"
    consent.contact_gone(desk.ctx, ADA)
    desk.drain()
    assert (desk.reason(account), desk.contacts_shown(account)) == ("hold", {None})
    with desk.store.begin() as uow:
        uow.connection.execute(update(crm_contacts).where(crm_contacts.c.crm_id == ADA).values(is_deleted=False))
        consent.contact_back_in(uow, desk.ctx, ADA)
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}


def test_a_deleted_account_rests_and_ends_after_thirty_days(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    for signal, reason in ((NetworkSignal.DELETED, "hold"), (NetworkSignal.UNDELETED, "allowed")):
        with desk.store.begin() as uow:
            consent.network_signal(uow, desk.ctx, account, signal, clock(), f"event {signal}")
        assert desk.reason(account) == reason
    with desk.store.begin() as uow:
        consent.network_signal(uow, desk.ctx, account, NetworkSignal.DELETED, clock(), "event 3")
    clock.move(days=30)
    assert consent.expire_due(desk.ctx).accounts_gone == 1
    assert desk.links()[0].state == "invalidated"


def test_revoking_at_the_network_withdraws_here(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    signal = consent.signal_of(Kind.ACCESS_REVOKED)
    assert signal is not None
    for _ in range(3):
        with desk.store.begin() as uow:
            consent.network_signal(uow, desk.ctx, account, signal, clock(), "event 1")
    assert (desk.reason(account), desk.ledger_size()) == ("withdrawn", 2)


def test_stopping_marketing_at_the_network_leaves_service(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account, ADA, "service", "marketing")
    signal = consent.signal_of(Kind.MARKETING_PREFERENCE, "stop")
    assert signal is not None
    assert consent.signal_of(Kind.MARKETING_PREFERENCE, "resume") is None
    with desk.store.begin() as uow:
        consent.network_signal(uow, desk.ctx, account, signal, clock(), "event 1")
    assert (desk.reason(account), desk.reason(account, "message.promo")) == ("allowed", "withdrawn")


def test_not_me_closes_the_gate_at_once_and_takes_a_second_person_to_end_the_link(desk: Desk) -> None:
    account = desk.account("grace_p")
    link_id = desk.yes(account).first.link_id
    consent.invalidate(desk.ctx, link_id, AGENT, "caller says it is somebody else")
    assert desk.reason(account) == "hold"
    assert not consent.invalidate(desk.ctx, link_id, AGENT, "again").changed
    assert desk.links()[0].state == "active"
    consent.invalidate(desk.ctx, link_id, OTHER_AGENT, "listened to the call")
    assert (desk.links()[0].state, desk.reason(account)) == ("invalidated", "no_link")


def test_a_privacy_officer_ends_a_mistaken_link_alone(desk: Desk) -> None:
    account = desk.account("grace_p")
    link_id = desk.yes(account).first.link_id
    assert consent.invalidate(desk.ctx, link_id, PRIVACY, "wrong person").first.state == "invalidated"
    assert not consent.invalidate(desk.ctx, link_id, PRIVACY, "wrong person").changed


def test_an_agent_cannot_revoke_lift_anothers_hold_or_open_evidence(desk: Desk) -> None:
    link_id = desk.yes(desk.account("grace_p")).first.link_id
    consent.hold(desk.ctx, link_id, HoldReason.DISPUTE, PRIVACY)
    for forbidden in (
        lambda: consent.revoke(desk.ctx, link_id, AGENT, "because"),
        lambda: consent.release(desk.ctx, link_id, HoldReason.DISPUTE, AGENT),
        lambda: consent.disclose_evidence(desk.ctx, link_id, AGENT),
    ):
        with pytest.raises(Forbidden):
            forbidden()
    assert consent.release(desk.ctx, link_id, HoldReason.DISPUTE, PRIVACY).changed
    assert consent.revoke(desk.ctx, link_id, PRIVACY, "because").first.state == "revoked"
    with pytest.raises(Conflict):
        consent.hold(desk.ctx, link_id, HoldReason.DISPUTE, PRIVACY)


def test_an_unclear_disconnect_me_counts_as_one_when_nobody_reads_it(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    with desk.store.begin() as uow:
        consent.hold_profile(uow, desk.ctx, account, HoldReason.POSSIBLE_WITHDRAWAL, CUSTOMER)
    assert desk.reason(account) == "hold"
    clock.move(hours=23)
    assert consent.expire_due(desk.ctx).reviews_run_out == 0
    clock.move(hours=1)
    assert consent.expire_due(desk.ctx).reviews_run_out == 1
    assert desk.reason(account) == "withdrawn"


def test_a_privacy_officer_reads_what_was_shown_and_said_and_that_is_noted(desk: Desk) -> None:
    account = desk.account("grace_p")
    link_id = desk.yes(account).first.link_id
    (shown,) = consent.disclose_evidence(desk.ctx, link_id, PRIVACY)
    content = shown.piece.content
    assert content["wording"] == script(desk).text
    assert (content["customer_words"], content["reference"]) == ("Yes, that is fine", "call-1")
    assert (content["account"], content["contact"], content["handle"]) == (account, ADA, None)
    assert shown.is_genuine
    (view,) = consent.show(desk.ctx, profile_id=account)
    assert [change.type for change in view.timeline] == ["granted", "disclosed"]


def test_evidence_tells_which_handle_was_spoken_of(desk: Desk) -> None:
    link_id = desk.yes(None, network="x", handle="@Grace_P").first.link_id
    (shown,) = consent.disclose_evidence(desk.ctx, link_id, PRIVACY)
    assert (shown.piece.content["handle"], shown.piece.content["contact"]) == ("x @Grace_P", ADA)


def test_evidence_is_shredded_three_years_after_the_link_ended_and_the_ledger_stays(
    desk: Desk, clock: FakeClock
) -> None:
    account = desk.account("grace_p")
    link_id = desk.yes(account).first.link_id
    desk.undo(account)
    clock.move(days=3 * 365 - 1)
    assert consent.expire_due(desk.ctx).shredded == 0
    clock.move(days=1)
    assert consent.expire_due(desk.ctx).shredded == 1
    assert consent.disclose_evidence(desk.ctx, link_id, PRIVACY) == []
    assert desk.ledger_size() == 3


def test_the_page_shows_purposes_with_expiry_holds_proof_notice_and_history(desk: Desk) -> None:
    account = desk.account("grace_p")
    link_id = desk.yes(account).first.link_id
    consent.hold(desk.ctx, link_id, HoldReason.DISPUTE, AGENT)
    (view,) = consent.show(desk.ctx, contact_id=ADA)
    (purpose,) = view.purposes
    assert (purpose.purpose, purpose.state, purpose.expires_at) == (
        "service", "granted", desk.ctx.clock() + timedelta(days=730),
    )  # fmt: skip
    assert (view.record.assurance, view.last_notice, view.in_force) == (Assurance(1, 1), ("phone", "1"), False)
    assert [hold.reason for hold in view.record.holds] == ["dispute"]
    assert [change.type for change in view.timeline] == ["granted", "hold"]


def test_nothing_personal_stands_in_the_ledger(desk: Desk) -> None:
    receipt = consent.record(desk.ctx, desk.answer(None, ADA, SERVICE_YES, network="x", handle="grace_p"))
    consent.withdraw(desk.ctx, WithdrawConsent(AGENT, link_id=receipt.first.link_id, words="no more Grace"))
    with desk.store.read() as connection:
        bodies = b"".join(connection.execute(select(ledger.c.body)).scalars())
    for personal in (ADA, "grace", "Grace", "that is fine", "call-1", "link your", desk.links()[0].profile_id):
        assert personal.encode() not in bodies


@pytest.mark.parametrize(
    ("lang", "told"), [("de", "de"), ("de-AT", "de"), ("fr", "fr"), ("es", "es"), ("ja", "ja"), ("it", "en")]
)
def test_the_script_speaks_the_customers_language_or_english(desk: Desk, lang: str, told: str) -> None:
    assert script(desk, lang).lang == told


@pytest.mark.parametrize(
    ("channel", "network", "notice"),
    [
        (Channel.PHONE, "phone", "phone"), (Channel.CHAT, "chatwoot", "chat"), (Channel.EMAIL, "email", "email"),
        (Channel.SOCIAL, "x", "x_dm"), (Channel.MESSAGING, "x", "x_dm"), (Channel.MESSAGING, "messenger", "dm"),
    ],
)  # fmt: skip
def test_each_channel_has_its_wording(desk: Desk, channel: Channel, network: str, notice: str) -> None:
    told = consent.ask_script(desk.ctx, channel, "en", network)
    assert (told.notice_id, told.purposes) == (notice, ("service",))
    assert consent.ask_script(desk.ctx, channel, "en", network, more=True).notice_id == "more"


@pytest.mark.parametrize(("material", "reason"), [(True, "notice_stale"), (False, "allowed")])
def test_a_change_in_substance_detaches_until_the_customer_agrees_again(
    desk: Desk, clock: FakeClock, material: bool, reason: str
) -> None:
    account = desk.account("grace_p")
    desk.yes(account)
    desk.drain()
    clock.move(days=1)
    newer = with_new_version(desk.ctx.consent, 2, clock())
    notices = tuple(replace(each, material=each.material and material) for each in newer.notices)
    desk.ctx = replace(desk.ctx, consent=replace(newer, notices=notices))
    assert desk.reason(account) == reason, "the gate waits for no round of the clock"
    consent.expire_due(desk.ctx)
    desk.drain()
    assert (desk.reason(account), desk.contacts_shown(account)) == (reason, {None} if material else {ADA})
    assert desk.yes(account).first.type == "renewed"
    desk.drain()
    assert desk.contacts_shown(account) == {ADA}

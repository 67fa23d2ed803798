"""How events become cases: whose case it is, when it opens and reopens, what stops the clock, who is who."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility
from connector.domain.events import Author, to_millis
from connector.domain.keys import derive_id
from connector.queries.cases import CaseFilter, inbox
from connector.store.tables import case_events, cases, interactions, outbox, profile_handles, social_profiles
from connector.store.unit_of_work import Store
from tests.flow.ingesting import BRAND, NAMESPACE, answered, apply, at, deleted, edited, reacted, rows, said

DAY = timedelta(days=1)


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The one row there is."""
    assert len(found) == 1
    return found[0]


def close(store: Store, minutes: float) -> None:
    """An agent closes every case in the CRM; the connector has read it."""
    with store.begin() as uow:
        uow.connection.execute(update(cases).values(closed_at=to_millis(at(minutes)), status="Closed"))


def days(number: float) -> float:
    """Days as the story's minutes."""
    return number * 24 * 60


def test_a_customers_words_open_a_case_with_profile_and_everything_is_queued(any_store: Store) -> None:
    apply(any_store, said("1", 0))
    case = only(rows(any_store, cases))
    profile = only(rows(any_store, social_profiles))
    assert (case["origin"], case["channel"], case["network"], case["thread"]) == (
        "connector",
        "social",
        "x",
        "thread-1",
    )
    assert (case["profile_id"], case["opened_at"], case["closed_at"]) == (profile["id"], to_millis(at(0)), None)
    assert case["id"] == derive_id(NAMESPACE, "case", "x", "", "thread-1", profile["id"], "0")
    queued = [(each["object"], each["rank"], each["parent_key"]) for each in rows(any_store, outbox)]
    assert queued == [
        ("Social_Profile__c", 10, None),
        ("Case", 20, profile["id"]),
        ("Channel_Interaction__c", 30, case["id"]),
    ]
    assert [(each["type"], each["at"]) for each in rows(any_store, case_events)] == [("opened", case["opened_at"])]


def test_another_persons_comment_in_the_thread_is_their_own_case(store: Store) -> None:
    apply(store, said("1", 0, by="ada"), said("2", 1, by="bo"), said("3", 2, by="ada"))
    assert sorted(each["inbound_touches"] for each in rows(store, cases)) == [1, 2]
    assert {each["thread"] for each in rows(store, cases)} == {"thread-1"}


@pytest.mark.parametrize("kind", [Kind.POST, Kind.MENTION, Kind.REPLY, Kind.COMMENT])
def test_the_brands_own_words_never_open_a_case(store: Store, kind: Kind) -> None:
    apply(store, answered("1", 0, kind=kind), answered("2", 1, kind=kind, to=None))
    assert rows(store, cases) == []
    assert rows(store, outbox) == []
    assert len(rows(store, interactions)) == 2


@pytest.mark.parametrize("role", [AuthorRole.BOT, AuthorRole.SYSTEM, AuthorRole.MARKETING])
def test_what_machines_write_on_a_customers_side_opens_nothing(store: Store, role: AuthorRole) -> None:
    apply(store, said("1", 0, author_role=role))
    assert rows(store, cases) == []


def test_a_brand_echo_that_came_before_its_case_is_adopted_when_the_case_opens(store: Store) -> None:
    apply(store, answered("2", 5))
    apply(store, said("1", 0))
    case = only(rows(store, cases))
    assert {each["case_id"] for each in rows(store, interactions)} == {case["id"]}
    assert (case["first_response_at"], case["outbound_touches"]) == (to_millis(at(5)), 1)


def test_an_answer_that_names_nobody_belongs_to_the_case_of_what_it_answers(store: Store) -> None:
    apply(store, said("1", 0, by="ada"), said("2", 1, by="bo"), answered("3", 2, to=None, parent_id="2"))
    answer = only(rows(store, interactions, item_id="3"))
    bo = only(rows(store, social_profiles, external_id="bo"))
    assert answer["profile_id"] == bo["id"]
    assert [each["first_response_at"] for each in rows(store, cases, profile_id=bo["id"])] == [to_millis(at(2))]


def test_an_answer_to_the_whole_thread_belongs_to_whoever_began_it(store: Store) -> None:
    apply(store, said("1", 0, by="ada"), said("2", 1, by="bo"), answered("3", 2, to=None))
    ada = only(rows(store, social_profiles, external_id="ada"))
    assert only(rows(store, interactions, item_id="3"))["profile_id"] == ada["id"]


def test_what_the_brand_says_in_a_thread_of_its_own_answers_nobody_even_when_its_beginning_comes_late(
    store: Store,
) -> None:
    apply(store, said("2", 1), answered("3", 2, to=None))
    assert only(rows(store, interactions, item_id="3"))["case_id"] is not None
    apply(store, answered("1", 0, to=None, kind=Kind.POST))
    late = only(rows(store, interactions, item_id="3"))
    assert (late["case_id"], late["profile_id"]) == (None, None)
    assert only(rows(store, cases))["first_response_at"] is None


@pytest.mark.parametrize(
    ("answer", "stops"),
    [
        (answered("2", 5), True),
        (answered("2", 5, author_role=AuthorRole.BOT), False),
        (answered("2", 5, author_role=AuthorRole.SYSTEM), False),
        (answered("2", 5, author_role=AuthorRole.MARKETING), False),
        (answered("2", 5, direction=Direction.INTERNAL, visibility=Visibility.PRIVATE), False),
        (answered("2", -5), False),
    ],
    ids=["an agent", "a bot", "the system", "marketing", "a note among colleagues", "before the customer spoke"],
)
def test_only_an_agents_answer_stops_the_clock(store: Store, answer: Any, *, stops: bool) -> None:
    apply(store, said("1", 0), answer)
    assert (only(rows(store, cases))["first_response_at"] is not None) is stops


def test_an_answered_call_stops_its_own_clock_after_the_wait_in_the_queue(store: Store) -> None:
    call = said("CA1", 0, None, kind=Kind.CALL, network="phone", visibility=Visibility.PRIVATE, thread_id=None)
    apply(store, replace(call, extra={"duration_s": 40, "queue_wait_s": 7}))
    case = only(rows(store, cases))
    assert case["first_response_at"] == case["first_inbound_at"] + 7000
    assert only(rows(store, interactions))["reference"] == "CA1"


@pytest.mark.parametrize(("seconds", "waits"), [(40, False), (0, True)], ids=["picked up", "nobody there"])
def test_who_was_on_the_phone_with_the_brand_waits_for_nobody(store: Store, seconds: int, *, waits: bool) -> None:
    """Until the customer is heard of again, that is."""
    calling: dict[str, Any] = {"kind": Kind.CALL, "network": "phone", "visibility": Visibility.PRIVATE}
    call = replace(said("CA1", 0, None, **calling), extra={"duration_s": seconds})
    apply(store, call)
    with store.read() as connection:
        assert len(inbox(connection, "waiting", CaseFilter(), cursor=None, limit=5).rows) == int(waits)
    apply(store, replace(said("CA2", 9, None, **calling), extra={"duration_s": 0}))
    with store.read() as connection:
        assert len(inbox(connection, "waiting", CaseFilter(), cursor=None, limit=5).rows) == 1


def test_private_words_without_a_thread_are_one_talk_with_that_brand_account(store: Store) -> None:
    private: dict[str, Any] = {"kind": Kind.MESSAGE, "visibility": Visibility.PRIVATE, "thread_id": None}
    apply(
        store,
        said("1", 0, **private),
        said("2", 9, **private),
        said("3", 1, by="bo", **private),
        said("4", 2, account_id="brand-2", **private),
        answered("5", 3, **private),
    )
    assert sorted(each["inbound_touches"] for each in rows(store, cases)) == [1, 1, 2]
    assert {each["channel"] for each in rows(store, cases)} == {"messaging"}


def test_a_reply_without_a_thread_id_joins_the_thread_of_what_it_answers(store: Store) -> None:
    alone: dict[str, Any] = {"thread_id": None}
    apply(store, said("1", 0, **alone))
    apply(store, answered("2", 1, parent_id="1", **alone))
    apply(store, said("3", 2, parent_id="2", **alone))
    assert only(rows(store, cases))["inbound_touches"] == 2


@pytest.mark.parametrize(("after_days", "reopened"), [(6.9, True), (7.1, False)])
def test_words_within_seven_days_of_the_close_reopen_later_ones_open_a_new_case(
    store: Store, after_days: float, *, reopened: bool
) -> None:
    apply(store, said("1", 0))
    close(store, 60)
    apply(store, said("2", 60 + days(after_days)))
    found = sorted(rows(store, cases), key=lambda case: case["sequence"])
    if reopened:
        case = only(found)
        assert (case["closed_at"], case["status"], case["reopen_count"]) == (None, "New", 1)
        assert (case["reopened_at"], case["reopened_from_at"]) == (
            to_millis(at(60 + days(after_days))),
            to_millis(at(60)),
        )
        assert [each["type"] for each in rows(store, case_events)] == ["opened", "reopened"]
    else:
        assert [case["sequence"] for case in found] == [0, 1]
        assert found[1]["parent_id"] == found[0]["id"]
        assert found[0]["closed_at"] is not None


def test_what_was_said_before_the_close_and_came_late_reopens_nothing(store: Store) -> None:
    apply(store, said("1", 0))
    close(store, 60)
    apply(store, said("2", 30))
    case = only(rows(store, cases))
    assert (case["reopen_count"], case["inbound_touches"]) == (0, 2)
    assert case["closed_at"] is not None


@pytest.mark.parametrize("late", [(0, 1), (1, 0)], ids=["in order", "the later first"])
def test_a_case_is_reopened_once_by_its_earliest_new_words(store: Store, late: tuple[int, int]) -> None:
    apply(store, said("1", 0))
    close(store, 60)
    words = [said("2", 70), said("3", 80)]
    for index in late:
        apply(store, words[index])
    case = only(rows(store, cases))
    assert (case["reopen_count"], case["reopened_at"]) == (1, to_millis(at(70)))
    assert [each["at"] for each in rows(store, case_events, type="reopened")] == [to_millis(at(70))]


def test_a_case_deleted_in_the_crm_takes_nothing_more(store: Store) -> None:
    apply(store, said("1", 0))
    with store.begin() as uow:
        uow.connection.execute(update(cases).values(is_deleted=True))
    apply(store, said("2", 1))
    assert sorted(case["sequence"] for case in rows(store, cases)) == [0, 1]


def test_a_deleted_post_leaves_no_words_behind_and_still_counts(store: Store) -> None:
    apply(store, said("1", 0, "Call me: +44 7700 900123", permalink="https://x.example/1"), deleted("1", 9))
    item = only(rows(store, interactions))
    assert (item["state"], item["deleted_at"]) == ("deleted", to_millis(at(9)))
    assert [item[name] for name in ("text", "permalink", "author_name", "lang")] == [None] * 4
    assert (item["extra"], item["attachments"]) == ("{}", "[]")
    assert only(rows(store, cases))["inbound_touches"] == 1


def test_a_deletion_before_its_post_wins_all_the_same(store: Store) -> None:
    apply(store, deleted("1", 9))
    assert rows(store, cases) == []
    apply(store, said("1", 0))
    assert only(rows(store, interactions))["text"] is None
    assert len(rows(store, cases)) == 1


def test_of_two_edits_the_newer_stands_whatever_came_last(store: Store) -> None:
    apply(store, edited("1", 9, "second"), said("1", 0, "first"), edited("1", 5, "between"))
    assert only(rows(store, interactions))["text"] == "second"


def test_a_like_is_counted_and_makes_nobody_known(store: Store) -> None:
    apply(store, reacted("1", 3), reacted("1", 4, by="reader-2"), said("1", 0), reacted("1", 3))
    assert only(rows(store, interactions))["reactions"] == 2
    assert [each["external_id"] for each in rows(store, social_profiles)] == ["customer-1"]


def test_a_taken_back_like_no_longer_counts(store: Store) -> None:
    apply(store, said("1", 0), reacted("1", 3), reacted("1", 5, event_id="un", extra={"action": "unreact"}))
    assert only(rows(store, interactions))["reactions"] == 0


def test_how_far_the_brands_words_got_only_moves_on(store: Store) -> None:
    report = replace(answered("2", 1), kind=Kind.STATUS, text=None)
    apply(store, replace(report, version="1", extra={"status": "read"}))
    apply(store, said("1", 0), answered("2", 1), replace(report, version="2", extra={"status": "delivered"}))
    assert only(rows(store, interactions, item_id="2"))["delivery_status"] == "read"


def test_a_renamed_account_is_the_same_profile_with_a_history(store: Store) -> None:
    apply(store, said("1", 0, author=Author(external_id="customer-1", handle="@Ada")))
    apply(store, said("2", 9, author=Author(external_id="customer-1", handle="ada_b")))
    apply(store, said("3", 5, author=Author(external_id="customer-1", handle="@ada")))
    profile = only(rows(store, social_profiles))
    assert (profile["handle"], profile["handle_key"]) == ("ada_b", "ada_b")
    seen = {each["handle_key"]: (each["first_seen_at"], each["last_seen_at"]) for each in rows(store, profile_handles)}
    assert seen == {
        "ada": (to_millis(at(0)), to_millis(at(5))),
        "ada_b": (to_millis(at(9)), to_millis(at(9))),
    }


def test_a_recycled_handle_is_another_profile(store: Store) -> None:
    apply(store, said("1", 0, by="old", author=Author(external_id="old", handle="ada")))
    apply(store, said("2", 9, by="new", author=Author(external_id="new", handle="ada")))
    assert {each["external_id"] for each in rows(store, social_profiles, handle_key="ada")} == {"old", "new"}


def test_an_older_word_about_an_account_never_replaces_a_newer_one(store: Store) -> None:
    apply(store, said("2", 9, author=Author(external_id="customer-1", bio="Sails")))
    apply(store, said("1", 0, author=Author(external_id="customer-1", bio="Bakes", location="Uppsala")))
    profile = only(rows(store, social_profiles))
    assert (profile["bio"], profile["location"]) == ("Sails", "Uppsala")


def test_a_new_handle_is_told_to_the_crm_and_an_unchanged_account_is_not_told_again(store: Store) -> None:
    apply(store, said("1", 0))
    apply(store, said("2", 5))
    assert only(rows(store, outbox, object="Social_Profile__c"))["ver"] == 1
    apply(store, said("3", 6, author=Author(external_id="customer-1", handle="renamed")))
    assert only(rows(store, outbox, object="Social_Profile__c"))["ver"] == 2


def test_the_brands_own_profile_changes_make_no_profile(store: Store) -> None:
    change = said("x", 0, None, by=BRAND, kind=Kind.PROFILE_CHANGE, item_id=None)
    apply(store, change)
    assert rows(store, social_profiles) == []


def test_a_case_resolved_at_another_desk_goes_into_the_history_and_closes_nothing(store: Store) -> None:
    told = said("thread-1", 8, None, kind=Kind.CASE_RESOLVED, direction=Direction.INTERNAL, version="1")
    apply(store, said("1", 0), told)
    assert only(rows(store, cases))["closed_at"] is None
    assert [each["at"] for each in rows(store, case_events, type="resolved_at_source")] == [to_millis(at(8))]


def test_a_public_case_that_turns_private_says_when(store: Store) -> None:
    apply(store, said("1", 0), said("2", 7, visibility=Visibility.PRIVATE))
    assert only(rows(store, cases))["moved_to_private_at"] == to_millis(at(7))


def test_what_was_private_once_is_never_shown_as_public(store: Store) -> None:
    apply(store, said("1", 0, visibility=Visibility.PRIVATE, kind=Kind.MESSAGE))
    apply(store, said("1", 0, kind=Kind.MESSAGE, version="2"))
    assert only(rows(store, interactions))["visibility"] == "private"


@pytest.mark.parametrize("action", [["remove"], {"remove": 1}, 7, None])
def test_a_reaction_whose_action_is_no_word_counts_as_one(store: Store, action: object) -> None:
    apply(store, said("1", 0), reacted("1", 1, extra={"action": action}))
    assert only(rows(store, interactions))["reactions"] == 1


def crm_born(store: Store, **values: Any) -> None:
    """A call or mail that the CRM recorded itself."""
    row: dict[str, Any] = {
        "id": "crm-1", "origin": "crm", "network": "phone", "channel": "phone", "item_id": "00T1", "kind": "call",
        "direction": "inbound", "author_role": "customer", "occurred_at": to_millis(at(0)), "received_at": 1,
        "crm_object": "Task", "crm_id": "00T1",
    }  # fmt: skip
    with store.begin() as uow:
        uow.connection.execute(interactions.insert().values(**(row | values)))


CALL: dict[str, Any] = {
    "kind": Kind.CALL, "network": "phone", "visibility": Visibility.PRIVATE, "thread_id": None, "text": None,
    "by": "+447700900123",
}  # fmt: skip


def test_the_same_call_by_the_operator_and_by_the_crm_is_one_interaction(store: Store) -> None:
    crm_born(store, reference="CA1")
    apply(store, said("CA1", 0, **CALL | {"extra": {"duration_s": 30}}))
    call = only(rows(store, interactions))
    assert (call["id"], call["origin"], call["duration_seconds"]) == ("crm-1", "crm", 30)
    assert rows(store, cases) == []


@pytest.mark.parametrize(
    ("more", "flagged"),
    [
        ({"customer_id": "+447700900123"}, True),
        ({"customer_id": "+447700900124"}, False),
        ({"customer_id": "+447700900123", "occurred_at": to_millis(at(30))}, False),
    ],
    ids=["same caller and time", "another caller", "another time"],
)
def test_two_records_of_what_may_be_one_call_are_both_kept_and_flagged(
    store: Store, more: dict[str, Any], *, flagged: bool
) -> None:
    crm_born(store, **more)
    apply(store, said("CA1", 0, **CALL))
    assert [each["possible_duplicate"] for each in rows(store, interactions)] == [flagged, flagged]

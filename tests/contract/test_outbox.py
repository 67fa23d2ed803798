"""The outbox on both databases: coalescing, parents first, order in a case, fences, back-off and the shelf."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from connector.store import outbox, outbox_shelf
from connector.store.outbox import Claimed, Settlement, Settling
from connector.store.queues import GIVE_UP_SECONDS, POISON_TOUCHES, backoff_seconds
from connector.store.unit_of_work import Store


def queue(store: Store, *rows: tuple[str, str, str | None]) -> None:
    with store.begin() as uow:
        for obj, key, parent in rows:
            outbox.queue(uow, obj, key, parent_key=parent)


def claim(store: Store, limit: int = 200, lease: float = 60, obj: str | None = None) -> list[Claimed]:
    with store.begin() as uow:
        return outbox.claim(uow, limit, lease, obj=obj)


def settle(store: Store, rows: list[Claimed], outcome: Settling = Settling.SENT, **more: object) -> int:
    results = [Settlement(id=row.id, ver=row.ver, outcome=outcome, **more) for row in rows]  # type: ignore[arg-type]
    with store.begin() as uow:
        return outbox.settle(uow, rows[0].claim, results)


def expire(store: Store) -> None:
    with store.begin() as uow:
        uow.connection.execute(text("UPDATE outbox SET lease_until = 0 WHERE claim IS NOT NULL"))
        outbox.release_expired(uow)


def states(store: Store) -> dict[str, str]:
    with store.read() as connection:
        return {row["external_key"]: row["state"] for row in outbox_shelf.rows(connection)}


def keys(rows: list[Claimed]) -> list[str]:
    return [row.external_key for row in rows]


STORY = (
    ("Channel_Interaction__c", "message-1", "case"),
    ("Channel_Interaction__c", "message-2", "case"),
    ("Case", "case", "profile"),
    ("Social_Profile__c", "profile", None),
)


def test_children_wait_for_their_parent_whatever_the_order_of_queueing(any_store: Store) -> None:
    queue(any_store, *STORY)
    sent = []
    while rows := claim(any_store):
        sent.append(keys(rows))
        settle(any_store, rows)
    assert sent == [["profile"], ["case"], ["message-1", "message-2"]]


def test_a_child_of_a_dead_parent_stays_back_and_says_why(any_store: Store) -> None:
    queue(any_store, *STORY[2:])
    settle(any_store, claim(any_store), Settling.DEAD, code="FIELD_INTEGRITY", error="no")
    assert claim(any_store) == []
    with any_store.read() as connection:
        reasons = {(count.state, count.reason): count.number for count in outbox_shelf.counts(connection)}
    assert reasons == {("pending", "waiting_for_parent"): 1, ("dead", "FIELD_INTEGRITY"): 1}


def test_a_change_during_the_call_goes_out_next(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    first = claim(any_store)
    queue(any_store, ("Case", "case", None), ("Case", "case", None))
    assert settle(any_store, first, crm_id="500A", digest="d1", contact_id="003A") == 1
    (again,) = claim(any_store)
    assert (again.ver, again.sent_ver, again.crm_id, again.sent_digest, again.sent_contact_id) == (
        3, 1, "500A", "d1", "003A",
    )  # fmt: skip
    settle(any_store, [again])
    assert states(any_store) == {"case": "sent"}


def test_a_change_during_a_call_that_the_crm_refused_gets_its_own_try(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    first = claim(any_store)
    queue(any_store, ("Case", "case", None))
    settle(any_store, first, Settling.DEAD, code="STRING_TOO_LONG", error="no")
    assert [row.ver for row in claim(any_store)] == [2]


def test_many_changes_of_one_record_are_one_sending(any_store: Store) -> None:
    for _ in range(50):
        queue(any_store, ("Case", "case", None))
    (row,) = claim(any_store)
    assert row.ver == 50
    settle(any_store, [row])
    assert claim(any_store) == []


def test_a_later_message_waits_behind_an_earlier_one_in_back_off(any_store: Store) -> None:
    queue(any_store, ("Channel_Interaction__c", "first", "case"), ("Channel_Interaction__c", "other", "case-2"))
    rows = claim(any_store)
    settle(any_store, rows[:1], Settling.RETRY, wait_seconds=3600)
    settle(any_store, rows[1:])
    queue(any_store, ("Channel_Interaction__c", "second", "case"), ("Channel_Interaction__c", "third", "case-2"))
    assert keys(claim(any_store)) == ["third"]


def test_a_later_message_waits_behind_an_earlier_one_under_way(any_store: Store) -> None:
    queue(any_store, ("Channel_Interaction__c", "first", "case"))
    under_way = claim(any_store)
    queue(any_store, ("Channel_Interaction__c", "second", "case"))
    assert claim(any_store) == []
    settle(any_store, under_way)
    assert keys(claim(any_store)) == ["second"]


def test_a_dead_message_does_not_hold_up_its_case(any_store: Store) -> None:
    queue(any_store, ("Channel_Interaction__c", "first", "case"), ("Channel_Interaction__c", "second", "case"))
    settle(any_store, claim(any_store, limit=1), Settling.DEAD)
    assert keys(claim(any_store)) == ["second"]


def test_a_claim_holds_one_object_and_a_caller_may_name_it(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None), ("Social_Profile__c", "profile", None))
    assert keys(claim(any_store, obj="Case")) == ["case"]
    assert keys(claim(any_store)) == ["profile"]


def test_accounts_that_change_without_end_keep_no_case_waiting(any_store: Store) -> None:
    queue(any_store, ("Social_Profile__c", "profile", None), ("Case", "case", "profile"))
    settle(any_store, claim(any_store))
    waited(any_store, "case", 1000)
    sent = []
    for _ in range(3):
        queue(any_store, ("Social_Profile__c", "profile", None))
        rows = claim(any_store)
        sent += keys(rows)
        settle(any_store, rows)
    assert sent == ["case", "profile", "profile"]


def test_a_record_that_waited_longest_still_waits_for_its_parent(any_store: Store) -> None:
    queue(any_store, *STORY)
    for number, key in enumerate(["message-1", "message-2", "case"]):
        waited(any_store, key, 9000 - number)
    sent = []
    while rows := claim(any_store):
        sent.append(keys(rows))
        settle(any_store, rows)
    assert sent == [["profile"], ["case"], ["message-1", "message-2"]]


def waited(store: Store, key: str, millis: int) -> None:
    with store.begin() as uow:
        statement = text("UPDATE outbox SET queued_at = queued_at - :millis WHERE external_key = :key")
        uow.connection.execute(statement, {"millis": millis, "key": key})


def test_a_stale_worker_changes_nothing(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    stale = claim(any_store)
    expire(any_store)
    fresh = claim(any_store)
    for outcome in Settling:
        assert settle(any_store, stale, outcome) == 0
    assert settle(any_store, fresh) == 1
    assert settle(any_store, fresh) == 0


def test_a_row_whose_worker_ends_three_times_is_poison_and_takes_no_innocent_one_with_it(any_store: Store) -> None:
    queue(any_store, *((("Case", f"case-{number:02}", None)) for number in range(40)))
    sizes = []
    while rows := claim(any_store, limit=20):
        sizes.append(len(rows))
        if "case-07" in keys(rows):
            expire(any_store)
        else:
            settle(any_store, rows)
    found = states(any_store)
    assert [key for key, state in found.items() if state == "dead"] == ["case-07"]
    assert set(found.values()) == {"dead", "sent"}
    assert sizes[:2] == [20, 2]
    assert sizes.count(1) >= 1
    with any_store.read() as connection:
        (row,) = outbox_shelf.rows(connection, state="dead")
    assert row["touches"] == POISON_TOUCHES
    assert "poison pill" in row["error"]


def test_a_failed_call_hands_the_rows_back_uncounted(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    (row,) = claim(any_store)
    with any_store.begin() as uow:
        assert outbox.hand_back(uow, row.claim, wait_seconds=600) == 1
    assert claim(any_store) == []
    with any_store.begin() as uow:
        assert outbox_shelf.retry(uow, [row.id]) == 1
    assert claim(any_store)[0].attempts == 0


def test_three_days_of_failing_make_a_row_dead_and_a_new_change_revives_it(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    settle(any_store, claim(any_store), Settling.RETRY, wait_seconds=0, code="UNABLE_TO_LOCK_ROW", error="locked")
    assert states(any_store) == {"case": "pending"}
    with any_store.begin() as uow:
        past = {"ago": (GIVE_UP_SECONDS + 60) * 1000}
        uow.connection.execute(text("UPDATE outbox SET first_failed_at = first_failed_at - :ago"), past)
    settle(any_store, claim(any_store), Settling.RETRY, wait_seconds=0)
    assert states(any_store) == {"case": "dead"}
    queue(any_store, ("Case", "case", None))
    assert claim(any_store)[0].attempts == 0


def test_waiting_for_the_budget_never_makes_a_row_dead(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    for _ in range(5):
        settle(any_store, claim(any_store), Settling.WAIT, wait_seconds=0, code="REQUEST_LIMIT_EXCEEDED")
    assert claim(any_store)[0].attempts == 0


def test_dead_rows_go_again_one_by_one_or_by_their_error(any_store: Store) -> None:
    queue(any_store, *(("Case", f"case-{number}", None) for number in range(4)))
    rows = claim(any_store)
    settle(any_store, rows[:3], Settling.DEAD, code="DUPLICATES_DETECTED")
    settle(any_store, rows[3:], Settling.DEAD, code="OTHER")
    with any_store.begin() as uow:
        assert outbox_shelf.drop(uow, [rows[0].id]) == 1
        assert outbox_shelf.retry(uow, error_code="DUPLICATES_DETECTED") == 2
    assert keys(claim(any_store)) == ["case-1", "case-2"]
    assert states(any_store)["case-0"] == "dropped"
    with any_store.begin() as uow:
        assert outbox_shelf.retry(uow, [rows[0].id, rows[3].id]) == 2
    assert keys(claim(any_store)) == ["case-0", "case-3"]


def test_a_row_under_way_is_not_dropped_under_the_worker(any_store: Store) -> None:
    queue(any_store, ("Case", "case", None))
    rows = claim(any_store)
    with any_store.begin() as uow:
        assert outbox_shelf.drop(uow, [rows[0].id]) == 0
    assert settle(any_store, rows) == 1


def test_the_age_of_the_oldest_unsent_change_is_told(any_store: Store) -> None:
    with any_store.read() as connection:
        assert outbox_shelf.oldest_seconds(connection) == 0
    queue(any_store, ("Case", "case", None))
    with any_store.begin() as uow:
        uow.connection.execute(text("UPDATE outbox SET queued_at = queued_at - 90000"))
    with any_store.read() as connection:
        assert 90 <= outbox_shelf.oldest_seconds(connection) < 3600


@pytest.mark.parametrize(("attempts", "most"), [(0, 5), (1, 10), (5, 160), (9, 2560), (10, 3600), (500, 3600)])
def test_back_off_is_full_jitter_under_a_doubling_ceiling(attempts: int, most: float) -> None:
    waits = [backoff_seconds(attempts) for _ in range(400)]
    assert min(waits) < most * 0.1
    assert most * 0.9 < max(waits) <= most


@pytest.mark.postgres
def test_a_claim_passes_over_rows_that_another_transaction_holds(postgres_store: Store) -> None:
    queue(postgres_store, ("Case", "case-1", "p"), ("Case", "case-2", "p"), ("Case", "case-3", "q"))
    with postgres_store.begin() as other:
        other.connection.execute(text("UPDATE outbox SET ver = ver + 1 WHERE external_key = 'case-1'"))
        assert keys(claim(postgres_store)) == ["case-3"], "case-2 waits behind its held sibling"
    assert keys(claim(postgres_store)) == ["case-1", "case-2"]

"""The share of the org's calls, and the breaker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.pacing import CAP_MS, DAY_MS, MOST_ROWS, Breaker, Bucket, linger_ms

TOTAL, SHARE = 15_000, 0.2


@given(
    st.lists(st.integers(0, 20_000_000), max_size=60),
    st.integers(5_000, 500_000),
    st.floats(0.05, 1.0),
)
def test_calls_of_any_24_hours_stay_within_the_share(pauses: list[int], total: int, share: float) -> None:
    bucket = Bucket.full(total, share, 0)
    now = spent = 0
    for pause in pauses:
        now = min(now + pause, DAY_MS)
        bucket = bucket.refilled(total, share, now)
        whole = max(0, int(bucket.tokens))
        bucket, spent = bucket.taken(whole), spent + whole
    assert spent <= total * share + 1


def test_an_empty_bucket_tells_when_one_call_is_affordable() -> None:
    bucket = Bucket.full(TOTAL, SHARE, 0).taken(125)
    ready = bucket.ready_at(TOTAL, SHARE)
    assert ready > 0
    assert bucket.refilled(TOTAL, SHARE, ready + 1).tokens >= 1


def test_a_clock_that_goes_back_earns_nothing() -> None:
    bucket = Bucket(1.0, 1_000_000)
    assert bucket.refilled(TOTAL, SHARE, 0).tokens == 1.0


def test_with_calls_in_hand_changes_wait_a_second_without_them_up_to_two_minutes() -> None:
    full = Bucket.full(TOTAL, SHARE, 0)
    assert linger_ms(full, TOTAL, SHARE) == 1_000
    assert linger_ms(full.taken(1_000), TOTAL, SHARE) == 90_157
    assert linger_ms(Bucket(0, 0), 1_000, 0.1) == 120_000


def test_at_the_longest_linger_flushing_all_day_stays_within_the_share() -> None:
    linger = linger_ms(Bucket(0, 0), TOTAL, SHARE, 3)
    assert DAY_MS / linger * 3 <= TOTAL * SHARE


@given(st.integers(1, 40), st.floats(0, 1))
def test_the_breaker_waits_longer_with_each_failure_but_never_over_an_hour(failures: int, jitter: float) -> None:
    breaker = Breaker()
    pauses = []
    for _ in range(failures):
        breaker = breaker.failed(1_000, "away", "words", None, jitter)
        pauses.append(breaker.open_until - 1_000)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= CAP_MS
    assert breaker.since == 1_000


def test_a_wait_told_by_the_org_holds() -> None:
    breaker = Breaker().failed(0, "limited", "words", 30_000, 0.5)
    assert breaker.is_open(29_999)
    assert not breaker.is_open(30_000)


def test_calls_shrink_with_failures_down_to_one_record_and_grow_back() -> None:
    breaker = Breaker()
    rows = []
    for _ in range(9):
        breaker = breaker.failed(0, "away", "", 0, 0)
        rows.append(breaker.rows)
    assert rows == [100, 50, 25, 12, 6, 3, 1, 1, 1]
    steps = 0
    while breaker.failures:
        breaker, steps = breaker.succeeded(), steps + 1
    assert steps <= 4
    assert breaker.rows == MOST_ROWS


def test_a_failure_that_is_no_records_fault_leaves_batches_whole() -> None:
    assert Breaker().failed(0, "halted", "", None, 0).rows == MOST_ROWS


def test_while_one_process_tries_the_others_wait() -> None:
    assert Breaker().probing(0).is_open(0) is False
    assert Breaker().failed(0, "away", "", 0, 0).probing(1_000).is_open(60_000)

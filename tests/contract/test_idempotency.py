"""Keys of the API on both databases: the first to come has it, and everybody later hears the outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector.store import idempotency
from connector.store.unit_of_work import Store

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)


def test_a_key_is_reserved_once_and_tells_its_outcome_ever_after(any_store: Store) -> None:
    """Free, at work, done; the same key of another program is another key."""
    with any_store.begin() as uow:
        assert idempotency.reserve(uow, "a", "k", "hash", NOW) is None
        assert idempotency.reserve(uow, "b", "k", "hash", NOW) is None
    with any_store.begin() as uow:
        at_work = idempotency.reserve(uow, "a", "k", "other", NOW)
        assert at_work is not None
        assert (at_work.request_hash, at_work.status) == ("hash", idempotency.UNFINISHED)
        idempotency.finish(uow, "a", "k", 201, b"{}")
    with any_store.begin() as uow:
        done = idempotency.reserve(uow, "a", "k", "hash", NOW)
        assert done is not None
        assert (done.status, done.body) == (201, b"{}")


def test_a_released_key_is_free_and_a_finished_one_is_kept(any_store: Store) -> None:
    """What came to no answer may come again."""
    with any_store.begin() as uow:
        idempotency.reserve(uow, "a", "gone", "hash", NOW)
        idempotency.reserve(uow, "a", "kept", "hash", NOW)
        idempotency.finish(uow, "a", "kept", 422, b"no")
        idempotency.release(uow, "a", "gone")
        idempotency.release(uow, "a", "kept")
    with any_store.begin() as uow:
        assert idempotency.reserve(uow, "a", "gone", "hash", NOW) is None
        assert idempotency.reserve(uow, "a", "kept", "hash", NOW) is not None
        assert idempotency.forget_before(uow, NOW + timedelta(days=1)) == 2

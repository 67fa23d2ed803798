"""A write that must not be lost to a store that is away for a moment, for what it notes stands nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from connector.errors import StoreBusy
from connector.store.unit_of_work import Store, UnitOfWork

T = TypeVar("T")

WAITS = (0.1, 1.0, 4.0, 10.0)
"""Seconds between the tries: time enough for a database that starts again."""


def insist(store: Store, change: Callable[[UnitOfWork], T]) -> T:
    """What the change gives, once it is committed; it is tried anew, whole, while the store is away.

    Raises StoreBusy when the store stays away for a quarter of a minute. The change must bear being made twice: of a
    commit whose answer was lost nobody knows whether it happened.
    """
    for wait in WAITS:
        with suppress(StoreBusy), store.begin() as uow:
            return change(uow)
        time.sleep(wait)
    with store.begin() as uow:
        return change(uow)

"""Turns between processes on PostgreSQL; SQLite has one writer anyway."""

from __future__ import annotations

from collections.abc import Collection
from zlib import crc32

from sqlalchemy import text

from connector.store.unit_of_work import UnitOfWork

INGEST = 0x696E6700


def take_networks(uow: UnitOfWork, networks: Collection[str]) -> None:
    """Waits until no other transaction applies events of these networks; held until this one ends.

    Two sources may feed one network, and both may speak about the same item, case or account.
    """
    if uow.is_sqlite:
        return
    for number in sorted({crc32(name.encode()) & 0x7FFFFFFF for name in networks}):
        uow.connection.execute(
            text("SELECT pg_advisory_xact_lock(CAST(:room AS INTEGER), CAST(:key AS INTEGER))"),
            {"room": INGEST, "key": number},
        )

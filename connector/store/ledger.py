"""The ledger: an append-only chain of what was asked, answered and undone; nothing personal is in it.

Each body is canonical JSON that names the hash before it; its own hash is SHA-256(0x00 || body), so that the chain's
hashes are the leaves of a Merkle tree too. The database refuses UPDATE and DELETE. The chain shows every change of an
entry and every gap; that the end was cut off shows only beside something that was kept elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, text

from connector.domain.events import format_time, from_millis, to_millis
from connector.store.tables import grants, ledger
from connector.store.unit_of_work import UnitOfWork

GENESIS = bytes(32)
LOCK_KEY = 0x6C656467
"""Consent changes of one PostgreSQL database take turns on this advisory lock; SQLite has one writer anyway."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands: what happened, to which link, and the facts of it."""

    seq: int
    at: datetime
    type: str
    link_id: str | None
    facts: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Whether the chain holds: its length and head, and if not, the first entry that is wrong and why."""

    size: int
    head: str
    first_bad_seq: int | None = None
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether every entry is as it was written and none is missing in between."""
        return self.first_bad_seq is None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is to be written; ``idem`` is a digest of the request's own key, unique for ever.

    Where one request writes several entries, the later ones have ``.1``, ``.2`` … behind it.
    """

    type: str
    link_id: str | None = None
    idem: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def take_turn(uow: UnitOfWork) -> None:
    """Waits until no other transaction changes consent, and keeps the others waiting until this one ends."""
    if not uow.is_sqlite:
        uow.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def append(uow: UnitOfWork, new: NewEntry, at: datetime) -> Entry:
    """The entry, written as the next in the chain; its time is never before the last one's."""
    take_turn(uow)
    newest = select(ledger.c.seq, ledger.c.at, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
    last = uow.connection.execute(newest).first()
    seq = last.seq + 1 if last else 1
    millis = max(to_millis(at), last.at) if last else to_millis(at)
    prev = last.hash if last else GENESIS
    body = canonical(
        {
            **new.facts,
            "v": 1,
            "seq": seq,
            "ts": format_time(from_millis(millis)),
            "type": new.type,
            "link": new.link_id,
            "idem": new.idem,
            "prev": prev.hex(),
        }
    )
    digest = leaf_hash(body)
    row = {"seq": seq, "at": millis, "type": new.type, "link_id": new.link_id, "idem": new.idem}
    uow.connection.execute(insert(ledger).values(**row, body=body, prev=prev, hash=digest))
    return Entry(seq, from_millis(millis), new.type, new.link_id, json.loads(body), digest.hex())


def entries_of_request(connection: Connection, idem: str) -> list[Entry]:
    """What this very request wrote when it came first, oldest first; empty when it did not come yet."""
    same = or_(ledger.c.idem == idem, ledger.c.idem.like(f"{idem}.%"))
    return [_entry(row) for row in connection.execute(select(ledger).where(same).order_by(ledger.c.seq))]


def entries_of_links(connection: Connection, link_ids: list[str]) -> list[Entry]:
    """All entries of these links, oldest first."""
    rows = connection.execute(select(ledger).where(ledger.c.link_id.in_(link_ids)).order_by(ledger.c.seq))
    return [_entry(row) for row in rows]


def entries(connection: Connection, after: int = 0, limit: int = 100) -> list[Entry]:
    """The entries that follow ``after``, oldest first."""
    rows = connection.execute(select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(limit))
    return [_entry(row) for row in rows]


def size(connection: Connection) -> int:
    """How many entries there are."""
    return int(connection.execute(select(func.coalesce(func.max(ledger.c.seq), 0))).scalar_one())


def verify_ledger(connection: Connection) -> LedgerCheck:
    """Whether every entry is as it was written; else the first that is not, and what is wrong with it."""
    expected, prev, before = 1, GENESIS, 0
    for row in _rows(connection):
        problem = _fault(row, expected, prev, before)
        if problem:
            return LedgerCheck(expected - 1, prev.hex(), expected, problem)
        expected, prev, before = expected + 1, row.hash, row.at
    needed = connection.execute(select(func.coalesce(func.max(grants.c.seq), 0))).scalar_one()
    if needed >= expected:
        return LedgerCheck(expected - 1, prev.hex(), expected, f"Grants rest on entry {needed}, which is missing.")
    return LedgerCheck(expected - 1, prev.hex())


def _rows(connection: Connection) -> Iterator[Row[Any]]:
    yield from connection.execution_options(yield_per=1000).execute(select(ledger).order_by(ledger.c.seq))


def _fault(row: Row[Any], expected: int, prev: bytes, before: int) -> str:
    if row.seq != expected:
        return "The entry is missing."
    if leaf_hash(row.body) != row.hash:
        return "The body is not the one that was hashed."
    if row.prev != prev:
        return "It does not follow the entry before it."
    try:
        body = json.loads(row.body)
    except ValueError:
        return "The body is not JSON."
    columns = (row.seq, row.type, row.link_id, row.idem, row.prev.hex(), format_time(from_millis(row.at)))
    if tuple(body.get(key) for key in ("seq", "type", "link", "idem", "prev", "ts")) != columns:
        return "The columns do not say what the body says."
    return "It is dated before the entry before it." if row.at < before else ""


def canonical(body: Mapping[str, Any]) -> bytes:
    """The one way to write the body: sorted keys, no spaces, UTF-8; equal to RFC 8785 for what bodies may hold."""
    _check(body)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(value: Any) -> None:
    """Only what has one spelling may enter: no floats, no integers past 2^53, ASCII keys."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not key.isascii():
                raise ValueError("keys of a ledger body are ASCII")
            _check(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check(each)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        raise ValueError("numbers of a ledger body are small integers")


def leaf_hash(body: bytes) -> bytes:
    """SHA-256 over a zero byte and the body."""
    return sha256(b"\x00" + body).digest()


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.seq, from_millis(row.at), row.type, row.link_id, json.loads(row.body), row.hash.hex())

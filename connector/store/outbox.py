"""The outbox: which records the CRM does not have yet, in which version; never what is in them.

A row is (object, external key, version, rank). The record is built from the store when the row is claimed, through the
gate, so nothing stale and no contact without a permit can leave. A newer change of the same record raises ``ver``;
settling sets ``sent_ver`` to the version that was claimed, so a change that came during the call goes out next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from sqlalchemy import select

from connector.store import queues
from connector.store.queues import GIVE_UP_SECONDS, backoff_seconds, run
from connector.store.rows import Many, among
from connector.store.tables import OUTBOX_AHEAD, outbox
from connector.store.unit_of_work import UnitOfWork

RANKS = {"Social_Profile__c": 10, "Case": 20, "Channel_Interaction__c": 30}
"""Parents before children, where they have waited alike; a child never goes before its parent was sent once."""

NOBODY = "-"
"""Stands for no contact where calls without an answer are remembered by what they carried."""

_IS_TRIED = "' ' || tried_contact_id || ' ' LIKE '% ' || CAST(:{0} AS TEXT) || ' %'"
ALSO_TRIED = (
    "CASE WHEN CAST(:contact AS TEXT) IS NULL THEN tried_contact_id "
    "WHEN tried_contact_id IS NULL THEN CAST(:contact AS TEXT) "
    f"WHEN {_IS_TRIED.format('contact')} THEN tried_contact_id "
    "ELSE tried_contact_id || ' ' || CAST(:contact AS TEXT) END"
)
"""Remembers what a call carries beside what earlier ones did: the CRM may have taken any of them."""

OVERTAKEN = "overtaken"
"""Stands for the digest of a record that a call may have written after its claim had passed to another worker."""

_QUEUED_BEFORE = """
ON CONFLICT (external_key, object) DO UPDATE SET
  ver = outbox.ver + 1,
  state = 'pending',
  rank = excluded.rank,
  parent_key = COALESCE(excluded.parent_key, outbox.parent_key),
  queued_at = CASE WHEN outbox.state = 'pending' THEN outbox.queued_at ELSE excluded.queued_at END,
  run_at = CASE WHEN outbox.state = 'pending' THEN outbox.run_at ELSE 0 END,
  attempts = CASE WHEN outbox.state = 'pending' THEN outbox.attempts ELSE 0 END,
  touches = CASE WHEN outbox.state = 'pending' THEN outbox.touches ELSE 0 END,
  first_failed_at = CASE WHEN outbox.state = 'pending' THEN outbox.first_failed_at END,
  error_code = CASE WHEN outbox.state = 'pending' THEN outbox.error_code END,
  error = CASE WHEN outbox.state = 'pending' THEN outbox.error END
"""
_QUEUE = Many.insert(
    "outbox",
    {"object": "text", "external_key": "text", "parent_key": "text", "rank": "bigint"},
    _QUEUED_BEFORE,
    ver="1",
    state="'pending'",
    queued_at="{now}",
    run_at="0",
)

CLAIMABLE = (
    "o.state = 'pending' AND o.claim IS NULL AND o.run_at <= {now} AND NOT EXISTS ("
    "SELECT 1 FROM outbox p WHERE p.external_key = o.parent_key AND p.sent_ver = 0) AND NOT EXISTS ("
    "SELECT 1 FROM outbox s WHERE s.parent_key = o.parent_key AND s.id < o.id AND s.object = o.object "
    f"AND {OUTBOX_AHEAD} AND (s.claim IS NOT NULL OR s.run_at > {{now}}))"
)
"""Due, with a parent that the CRM has, and with no earlier sibling whose first sending is under way or in back-off."""

_HEAD = (
    f"SELECT o.queued_at FROM outbox o WHERE {CLAIMABLE} AND o.rank = :rank AND o.object = :object "
    "ORDER BY o.id LIMIT 1"
)
_CANDIDATES = (
    f"SELECT o.id, o.parent_key, o.touches FROM outbox o WHERE {CLAIMABLE} AND o.object = :object "
    "ORDER BY o.rank, o.id LIMIT :limit"
)
_ATTEMPTS = "SELECT id, attempts FROM outbox WHERE claim = :claim"
_CLEAR = "claim = NULL, lease_until = NULL"
_SENT = f"""
  {_CLEAR}, sent_ver = :ver, attempts = 0, touches = 0, run_at = 0,
  first_failed_at = NULL, error_code = NULL, error = NULL,
  crm_id = COALESCE(:crm_id, crm_id), sent_contact_id = :contact_id,
  sent_digest = CASE WHEN sent_digest = '{OVERTAKEN}' THEN sent_digest ELSE :digest END,
  tried_contact_id = CASE WHEN sent_digest = '{OVERTAKEN}' OR NOT :said_contact THEN tried_contact_id END,
  state = CASE WHEN ver > :ver THEN 'pending' ELSE 'sent' END,
  queued_at = CASE WHEN ver > :ver THEN {{now}} ELSE queued_at END,
  settled_at = {{now}}
"""
_RETRY = f"""
  {_CLEAR}, attempts = attempts + 1, touches = 0, run_at = {{now}} + :wait,
  first_failed_at = COALESCE(first_failed_at, {{now}}), error_code = :code, error = :error,
  state = CASE WHEN first_failed_at < {{now}} - :give_up AND ver = :ver THEN 'dead' ELSE 'pending' END,
  settled_at = {{now}}
"""
_WAIT = f"{_CLEAR}, touches = 0, run_at = {{now}} + :wait, error_code = :code, error = :error"
_DEAD = f"""
  {_CLEAR}, touches = 0, attempts = attempts + 1, run_at = 0,
  error_code = :code, error = :error, settled_at = {{now}},
  state = CASE WHEN ver > :ver THEN 'pending' ELSE 'dead' END
"""
_HAND_BACK = f"UPDATE outbox SET {_CLEAR}, touches = 0, run_at = {{now}} + :wait WHERE claim = :claim"


_WHOLE = f"""
UPDATE outbox SET sent_digest = CASE WHEN claim IS NULL THEN NULL ELSE '{OVERTAKEN}' END,
  tried_contact_id = {ALSO_TRIED}
WHERE external_key = :key
  AND (CAST(:named AS TEXT) IS NULL OR sent_contact_id = CAST(:named AS TEXT) OR {_IS_TRIED.format("named")})
"""
_HELD = "SELECT id FROM outbox WHERE claim = :claim"
_OVERTAKEN = f"""
UPDATE outbox SET ver = ver + 1, sent_digest = '{OVERTAKEN}',
  tried_contact_id = {ALSO_TRIED},
  queued_at = CASE WHEN state = 'sent' THEN {{now}} ELSE queued_at END,
  state = CASE WHEN state = 'sent' THEN 'pending' ELSE state END
WHERE id = :id
"""


class Settling(StrEnum):
    """What became of a claimed row."""

    SENT = "sent"
    RETRY = "retry"  # counts as an attempt of this row; dead after three days of them
    WAIT = "wait"  # not the row's fault: later, uncounted
    DEAD = "dead"  # never as it is: a person decides; a change that came meanwhile gets its own try


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row to send now; ``ver`` is the version that this claim may mark as sent."""

    id: int
    object: str
    external_key: str
    parent_key: str | None
    ver: int
    sent_ver: int
    attempts: int
    crm_id: str | None
    sent_digest: str | None
    sent_contact_id: str | None
    tried_contact_id: str | None
    claim: str


_CLAIMED = (
    f"SELECT {', '.join(each.name for each in fields(Claimed))} FROM outbox WHERE claim = :claim ORDER BY rank, id"
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one claimed row; ``wait_seconds`` overrides the back-off, ``error`` is in the CRM's own words.

    For SENT, ``digest`` and ``contact_id`` are what the CRM now holds: the caller repeats the old contact where it
    left the field out, and tells by ``said_contact`` that what earlier calls carried may stand there still.
    """

    id: int
    ver: int
    outcome: Settling
    crm_id: str | None = None
    digest: str | None = None
    contact_id: str | None = None
    said_contact: bool = True
    code: str | None = None
    error: str | None = None
    wait_seconds: float | None = None


def queue(uow: UnitOfWork, obj: str, external_key: str, *, parent_key: str | None = None) -> None:
    """Notes that this record changed and must reach the CRM after its parent; an older unsent change is overtaken.

    Call it in the transaction of the change itself. Without ``parent_key`` a known parent stays.
    """
    queue_many(uow, obj, [(external_key, parent_key)])


def queue_many(uow: UnitOfWork, obj: str, keys: Iterable[tuple[str, str | None]]) -> None:
    """Queues many records of one object at once, each as (external key, parent key or None)."""
    rank = RANKS[obj]
    _QUEUE.run(uow, [(obj, key, parent, rank) for key, parent in dict(keys).items()])


def claim(uow: UnitOfWork, limit: int = 200, lease_seconds: float = 60, *, obj: str | None = None) -> list[Claimed]:
    """Up to ``limit`` due rows of one object, leased to the caller; empty when nothing is due.

    The object is the one whose next row has waited longest. Commit before calling the CRM; then settle every row, or
    hand the claim back.
    """
    queues.begin_claim(uow, "outbox")
    with queues.walking(uow.connection):
        chosen = obj or _longest_waiting(uow)
        if chosen is None:
            return []
        candidates = run(uow.connection, _CANDIDATES, {"object": chosen, "limit": limit}).all()
    head = queues.batch(candidates, limit)
    free = queues.lock(uow, "outbox", "pending", [row.id for row in head])
    blocked: set[str] = set()
    ids: list[int] = []
    for row in head:
        if row.id not in free:
            blocked.add(row.parent_key)
        elif row.parent_key not in blocked or row.parent_key is None:
            ids.append(row.id)
    if not ids:
        return []
    token = queues.take(uow, "outbox", ids, lease_seconds)
    return [Claimed(*row) for row in run(uow.connection, _CLAIMED, {"claim": token}).all()]


def _longest_waiting(uow: UnitOfWork) -> str | None:
    """By rank alone, accounts that change without end would keep every case and message from going out."""
    heads = []
    for obj, rank in RANKS.items():
        since = run(uow.connection, _HEAD, {"object": obj, "rank": rank}).scalar_one_or_none()
        if since is not None:
            heads.append((since, rank, obj))
    return min(heads)[2] if heads else None


def settle(uow: UnitOfWork, claim_id: str, results: Sequence[Settlement]) -> int:
    """How many rows were settled; rows whose lease ran out meanwhile belong to another claim and are left alone."""
    attempts = dict(run(uow.connection, _ATTEMPTS, {"claim": claim_id}).all())
    changed = 0
    for outcome, statement in _STATEMENTS.items():
        rows = [_values(each, claim_id, attempts.get(each.id, 0)) for each in results if each.outcome is outcome]
        changed += statement.run(uow, rows)
    return changed


def held(uow: UnitOfWork, claim_id: str) -> set[int]:
    """The rows that this claim still holds, and keeps until the end of this transaction."""
    statement = _HELD if uow.is_sqlite else f"{_HELD} ORDER BY external_key FOR UPDATE"
    return set(run(uow.connection, statement, {"claim": claim_id}).scalars())


def note_overtaken(uow: UnitOfWork, contacts: Mapping[int, str | None]) -> None:
    """Sends these rows again in full, whoever holds them now, each by its id with the contact that was in a late call:
    NOBODY where it took one back, None where it said nothing of it.

    The call was under way when its claim passed on, so it may have reached the CRM after what was sent since.
    """
    rows = [{"id": row, "contact": contact} for row, contact in contacts.items()]
    if rows:
        run(uow.connection, _OVERTAKEN, rows)


def hold_rows(uow: UnitOfWork, keys: Collection[str]) -> None:
    """On PostgreSQL, waits for these rows in the order in which everybody does: parents first, then by key."""
    if not uow.is_sqlite:
        these = select(outbox.c.id).where(among(uow, outbox.c.external_key, sorted(keys)))
        uow.connection.execute(these.order_by(outbox.c.rank, outbox.c.external_key).with_for_update())


def send_whole(uow: UnitOfWork, keys: Collection[str], contact: str | None = None, *, named: str | None = None) -> None:
    """Makes these records, which are queued, go out whole although nothing in them may have changed.

    With a ``contact``, the CRM may show that one on them without anybody's having written it. With ``named``, only
    those records are meant on which we named that one last, or on which it may stand for another such reason.
    """
    if keys:
        rows = [{"key": key, "contact": contact, "named": named} for key in sorted(keys)]
        run(uow.connection, _WHOLE, rows)


def tried(noted: str | None) -> frozenset[str]:
    """What calls without an answer carried as the contact, from how a row notes it; NOBODY where they took one back."""
    return frozenset(noted.split()) if noted else frozenset()


def hand_back(uow: UnitOfWork, claim_id: str, *, wait_seconds: float = 0) -> int:
    """How many rows of a claim went back unsent and uncounted, to be tried after the wait: the whole call failed."""
    return int(run(uow.connection, _HAND_BACK, {"claim": claim_id, "wait": round(wait_seconds * 1000)}).rowcount)


def release_expired(uow: UnitOfWork, *, everything: bool = False) -> queues.Expired:
    """Gives back the rows whose lease ran out; the third time a row is parked as poison (store/queues.py)."""
    return queues.release_expired(uow, "outbox", everything=everything)


def _values(each: Settlement, claim_id: str, attempts: int) -> tuple[object, ...]:
    wait = backoff_seconds(attempts) if each.wait_seconds is None else each.wait_seconds
    told = (each.ver, each.code, each.error, each.crm_id, each.digest, each.contact_id, each.said_contact)
    return (*told, round(wait * 1000), GIVE_UP_SECONDS * 1000, each.id, claim_id)


_KINDS = {
    "ver": "bigint", "code": "text", "error": "text", "crm_id": "text", "digest": "text", "contact_id": "text",
    "said_contact": "boolean", "wait": "bigint", "give_up": "bigint", "id": "bigint", "claim": "text",
}  # fmt: skip
_STATEMENTS = {
    outcome: Many.update("outbox", _KINDS, changes, "id = :id AND claim = :claim")
    for outcome, changes in {
        Settling.SENT: _SENT, Settling.RETRY: _RETRY, Settling.WAIT: _WAIT, Settling.DEAD: _DEAD
    }.items()
}  # fmt: skip

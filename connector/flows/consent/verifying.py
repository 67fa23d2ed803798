"""Verifies what stands beside the ledger against it: the grants that the gate reads, and the evidence in the vault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from connector.domain.consent import LinkState
from connector.domain.events import format_time
from connector.flows.context import Context
from connector.store import ledger, vault
from connector.store.consent import decisions_of_links, links_by_ids
from connector.store.ledger import Entry, LedgerCheck
from connector.store.vault import Commitment

DISCLOSED = "disclosed"
"""The ledger's word for evidence that was looked at."""

PAGE = 500


def verify(ctx: Context) -> LedgerCheck:
    """Whether the ledger is as it was written, and the grants and the evidence are what it says of them.

    Else the first entry that is not, or that something beside it contradicts, and why. Evidence that was shredded with
    its key after its link ended is no fault.
    """
    with ctx.store.read() as connection:
        check = ledger.verify_ledger(connection)
        if not check.ok:
            return check
        for entries in _pages(connection):
            wrong = [*_grants(connection, entries), *_evidence(connection, ctx.secret_key, entries)]
            if wrong:
                seq, problem = min(wrong)
                return replace(check, first_bad_seq=seq, problem=problem)
    return check


def committed(entry: Entry) -> set[Commitment]:
    """What an entry committed to; that a piece was looked at commits to nothing."""
    if entry.type == DISCLOSED:
        return set()
    return {Commitment(each["id"], each["com"]) for each in entry.facts.get("evidence", [])}


def _pages(connection: Connection) -> Iterator[Sequence[Entry]]:
    after = 0
    while entries := ledger.entries(connection, after, PAGE):
        yield entries
        after = entries[-1].seq


def _grants(connection: Connection, entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    """Entries whose grants say otherwise: another purpose, another answer, another end."""
    kept: dict[tuple[str, int], set[tuple[Any, ...]]] = defaultdict(set)
    for link_id, grant in decisions_of_links(connection, {each.link_id for each in entries if each.link_id}):
        kept[link_id, grant.seq].add((grant.purpose, grant.state.value, format_time(grant.expires_at)))
    for entry in entries:
        said = {(each["p"], each["state"], each["exp"]) for each in entry.facts.get("purposes", [])}
        if kept[entry.link_id or "", entry.seq] != said:
            yield entry.seq, "The grants that rest on it do not say what it says."


def _evidence(connection: Connection, secret_key: str, entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    """Entries whose evidence is another one by now, or is gone although its link has not ended."""
    told = [(entry, each) for entry in entries for each in sorted(committed(entry), key=lambda one: one.evidence_id)]
    opened = vault.open_pieces(connection, secret_key, [each.evidence_id for _, each in told])
    links = {each.id: each for each in links_by_ids(connection, {entry.link_id or "" for entry, _ in told})}
    keys = vault.wrapped_keys(connection, links.keys())
    for entry, commitment in told:
        piece = opened.get(commitment.evidence_id)
        link = links.get(entry.link_id or "")
        if piece is not None and piece.commitment != commitment:
            yield entry.seq, "Its evidence is not what was taken down then."
        elif piece is None and commitment.evidence_id in opened:
            yield entry.seq, vault.DOES_NOT_OPEN
        elif piece is None and link is not None and (link.id in keys or link.state is LinkState.ACTIVE):
            yield entry.seq, "Its evidence is gone."

"""What the demo ends with: figures read back from the org and the store, never counted along the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Table, func, select

from connector.demo.org import Org
from connector.flows.context import Context
from connector.flows.suggest import suggest
from connector.store.tables import (
    cases,
    deliveries,
    grants,
    interactions,
    ledger,
    links,
    outbox,
    shelf,
    social_profiles,
)

DIGESTED: Mapping[Table, tuple[str, ...]] = {
    deliveries: ("source", "key", "state"),
    shelf: ("source", "item_path", "reason", "state"),
    social_profiles: ("id", "handle", "display_name", "status"),
    cases: ("id", "channel", "status", "crm_contact_id", "inbound_touches", "outbound_touches", "first_response_at"),
    interactions: ("id", "case_id", "kind", "state", "text", "occurred_at"),
    links: ("id", "profile_id", "contact_id", "state", "h", "c"),
    grants: ("link_id", "purpose", "seq", "state"),
    ledger: ("seq", "hash"),
    outbox: ("object", "external_key", "ver", "sent_ver", "state", "sent_contact_id"),
}
"""What the store's digest covers: what was learnt and decided, without counters of repeated deliveries."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The end state in figures."""

    figures: tuple[tuple[str, str], ...]
    store_digest: str
    org_digest: str
    write_calls: int


def look(ctx: Context, org: Org, used: Mapping[str, int]) -> Summary:
    """Reads the figures; ``used`` is the org's own count of this telling's API calls."""
    with ctx.store.read() as connection:
        figures = _store_figures(connection)
        unlinked = connection.execute(_unlinked()).scalars().all()
        digest = store_digest(connection)
    suggested = sum(1 for profile_id in unlinked if suggest(ctx, profile_id))
    figures.insert(5, ("not linked, with a suggestion", f"{suggested} of {len(unlinked)} profiles"))
    org_answer = org.session.get(f"{org.url}/sandbox/digest", timeout=(5, 60)).json()
    return Summary((*figures, *_org_figures(org, used)), digest, str(org_answer["digest"]), used["write_calls"])


def _unlinked() -> Any:
    linked = select(links.c.profile_id).where(links.c.state == "active")
    return select(social_profiles.c.id).where(social_profiles.c.id.not_in(linked)).order_by(social_profiles.c.id)


def _count(connection: Connection, table: Table, *conditions: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def _store_figures(connection: Connection) -> list[tuple[str, str]]:
    repeated = int(connection.execute(select(func.coalesce(func.sum(deliveries.c.duplicates), 0))).scalar_one())
    ours = cases.c.origin == "connector"
    spoken = interactions.c.case_id.is_not(None)
    entries: dict[str, int] = dict(
        connection.execute(select(ledger.c.type, func.count()).group_by(ledger.c.type)).all()
    )
    answered = ", ".join(
        f"{words} {entries.get(kind, 0)}"
        for words, kind in (("yes", "granted"), ("no", "declined"), ("not now", "deferred"), ("withdrawn", "withdrawn"))
    )
    channels = connection.execute(
        select(interactions.c.channel, func.count())
        .where(spoken)
        .group_by(interactions.c.channel)
        .order_by(func.count().desc())
    ).all()
    return [
        ("deliveries taken", f"{_count(connection, deliveries)} (and {repeated} repeated by their senders)"),
        ("shelved items, with reason", str(_count(connection, shelf, shelf.c.state == "open"))),
        (
            "interactions",
            f"{_count(connection, interactions, spoken)}: " + ", ".join(f"{name} {n}" for name, n in channels),
        ),
        ("cases", f"{_count(connection, cases, ours)} by webhook, {_count(connection, cases, ~ours)} born in the CRM"),
        ("profiles seen", str(_count(connection, social_profiles))),
        ("asked", f"{_count(connection, links)}: {answered}"),
        ("linked by consent", str(_count(connection, links, links.c.state == "active"))),
    ]


def _org_figures(org: Org, used: Mapping[str, int]) -> list[tuple[str, str]]:
    def both(obj: str, where: str, contact: str) -> str:
        linked = org.count(obj, f"{where} AND {contact} != null")
        return f"{org.count(obj, where)}, {linked} of them on a contact"

    return [
        ("in the org: social profiles", both("Social_Profile__c", "Profile_Key__c != null", "Contact__c")),
        ("in the org: cases by the connector", both("Case", "Connector_Key__c != null", "ContactId")),
        ("in the org: interactions", both("Channel_Interaction__c", "Interaction_Key__c != null", "Contact__c")),
        ("API calls used", f"{used['calls']}, {used['write_calls']} of them writes"),
    ]


def store_digest(connection: Connection) -> str:
    """One SHA-256 over what the store holds, the same for the same state whatever the order of arrival."""
    digest = hashlib.sha256()
    for table, columns in DIGESTED.items():
        rows = connection.execute(select(*(table.c[name] for name in columns))).all()
        for row in sorted(orjson.dumps([_plain(value) for value in row]) for row in rows):
            digest.update(table.name.encode() + row)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value

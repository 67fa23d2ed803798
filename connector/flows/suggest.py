"""Suggests whom to ask about. Reads only: no store row, ledger entry or outbox row changes by asking (tested).

What the customer wrote in messages (an e-mail, a phone) is a hint for the case at hand: it is read from the live texts
at the moment of asking and kept nowhere, so it is gone when the text is. So is what came along with them (attested.py).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, or_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain.events import to_millis
from connector.domain.identifiers import emails_in, local_part, order_numbers_in, phones_in
from connector.domain.matching import Candidate, ProfileQuery, SuggestionEngine
from connector.domain.matching.bearers import orders_among
from connector.errors import NotFound
from connector.flows.attested import attested
from connector.flows.context import Context
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import crm_contacts, interactions, links, rejected_suggestions, social_profiles

LATEST_MESSAGES = 50
NUMBERED = frozenset({"phone", "sms", "whatsapp"})
"""Networks whose accounts are telephone numbers."""

NOT_SHOWN_AGAIN = ("declined", "withdrawn", "revoked", "invalidated", "erased")


def suggest(ctx: Context, profile_id: str, limit: int = 5) -> tuple[Candidate, ...]:
    """The contacts this profile may belong to, the likeliest first; empty when nobody is plausible.

    Raises NotFound for an unknown profile.
    """
    card = load_scorecard(known_share=ctx.known_share)
    with ctx.store.read() as connection:
        index = SqlSuggestionIndex(connection)
        found = SuggestionEngine(index, card).suggest(_query(connection, index, profile_id), limit)
        present = _present(connection, [each.contact_id for each in found])
    return tuple(each for each in found if each.contact_id in present)


def reject(ctx: Context, profile_id: str, contact_id: str, actor: str) -> None:
    """Remembers an agent's "not this one": the pair is not suggested again. Says nothing about a link."""
    values = {
        "profile_id": profile_id,
        "contact_id": contact_id,
        "rejected_at": to_millis(_now(ctx)),
        "by": actor,
    }
    with ctx.store.begin() as uow:
        if (
            uow.connection.execute(select(social_profiles.c.id).where(social_profiles.c.id == profile_id)).first()
            is None
        ):
            raise NotFound("There is no profile with this id.")
        insert = sqlite_insert if uow.is_sqlite else postgres_insert
        uow.connection.execute(insert(rejected_suggestions).values(values).on_conflict_do_nothing())


def _now(ctx: Context) -> datetime:
    return ctx.clock()


def _query(connection: Connection, index: SqlSuggestionIndex, profile_id: str) -> ProfileQuery:
    row = connection.execute(select(social_profiles).where(social_profiles.c.id == profile_id)).mappings().first()
    if row is None:
        raise NotFound("There is no profile with this id.")
    texts = (*_own_address(row), *_texts(connection, profile_id))
    told = attested(connection, profile_id)
    numbers = [each for text in texts for each in order_numbers_in(text)]
    return ProfileQuery(
        network=row["network"],
        handle=_name_in(row),
        display_name=row["display_name"],
        location=row["location"],
        bio=row["bio"],
        emails=tuple(dict.fromkeys([*(each for text in texts for each in emails_in(text)), *told.emails])),
        phones=tuple(dict.fromkeys([*(each for text in texts for each in phones_in(text)), *told.phones])),
        order_refs=orders_among(index, [*told.order_refs, *numbers]),
        proofs=told.proofs(index),
        excluded=_excluded(connection, profile_id),
        brand=row["kind"] in ("organisation", "brand"),
    )


def _own_address(row: RowMapping) -> tuple[str, ...]:
    """The account's own e-mail address or number, where the network is one of addresses."""
    stated = (row["external_id"], row["handle"])
    if row["network"] == "email":
        return tuple(each for each in stated if each)
    if row["network"] in NUMBERED:
        return tuple(f"+{each.lstrip('+')}" for each in stated if each and each.lstrip("+").isdigit())
    return ()


def _name_in(row: RowMapping) -> str | None:
    """What of the handle may hold a name: of an address its local part, of a number nothing."""
    if row["network"] == "email" and row["handle"]:
        return local_part(row["handle"])
    return None if row["network"] in NUMBERED and str(row["handle"]).lstrip("+").isdigit() else row["handle"]


def _texts(connection: Connection, profile_id: str) -> list[str]:
    latest = (
        select(interactions.c.text)
        .where(
            interactions.c.profile_id == profile_id,
            interactions.c.author_role == "customer",
            interactions.c.state == "live",
            interactions.c.text.is_not(None),
        )
        .order_by(interactions.c.occurred_at.desc())
        .limit(LATEST_MESSAGES)
    )
    return [str(text) for text in connection.execute(latest).scalars()]


def _excluded(connection: Connection, profile_id: str) -> frozenset[str]:
    rejected = select(rejected_suggestions.c.contact_id).where(rejected_suggestions.c.profile_id == profile_id)
    said_no = select(links.c.contact_id).where(
        and_(links.c.profile_id == profile_id, or_(links.c.state.in_(NOT_SHOWN_AGAIN), links.c.state == "active"))
    )
    return frozenset(connection.execute(rejected.union(said_no)).scalars())


def _present(connection: Connection, contact_ids: list[str]) -> set[str]:
    live = select(crm_contacts.c.crm_id).where(
        crm_contacts.c.crm_id.in_(contact_ids), crm_contacts.c.is_deleted.is_(False)
    )
    return set(connection.execute(live).scalars())

"""Projecting links: whatever changed, every CRM record that names or must name a contact is looked at again."""

from __future__ import annotations

from sqlalchemy import select

from connector.store.outbox import hold_rows, queue, queue_many, send_whole
from connector.store.tables import cases, interactions
from connector.store.unit_of_work import UnitOfWork

PROFILE, CASE, INTERACTION = "Social_Profile__c", "Case", "Channel_Interaction__c"


def reproject(uow: UnitOfWork, profile_id: str) -> int:
    """How many records of the account were queued: the account itself, its cases, its interactions.

    Nothing is decided here: each record is built when it is sent, through the gate. Granting needs this as much as
    withdrawing does: a second person's yes makes an account ambiguous and takes the first one's contact away.
    """
    return len(_queue(uow, profile_id))


def relink(uow: UnitOfWork, profile_id: str) -> None:
    """Sends the cases and interactions of an account again, whole: the CRM has a new record of it, which none names."""
    send_whole(uow, _queue(uow, profile_id)[1:])


def retell(uow: UnitOfWork, profile_id: str, contact_id: str, *, named: str | None = None) -> None:
    """Sends an account and all that hangs on it again, its contact said in any case: the CRM itself put this one there.

    Bringing a record back restores what pointed to it and names nobody since, also where we emptied it meanwhile; and
    a merge moves what named the one (``named``) to the other.
    """
    send_whole(uow, _queue(uow, profile_id), contact_id, named=named)


def _queue(uow: UnitOfWork, profile_id: str) -> list[str]:
    own_cases = list(
        uow.connection.execute(
            select(cases.c.id)
            .where(cases.c.profile_id == profile_id, cases.c.origin == "connector")
            .order_by(cases.c.opened_at, cases.c.id)
        ).scalars()
    )
    said = uow.connection.execute(
        select(interactions.c.id, interactions.c.case_id)
        .where(interactions.c.profile_id == profile_id)
        .where(interactions.c.case_id.is_not(None), interactions.c.kind.is_not(None))
        .order_by(interactions.c.occurred_at, interactions.c.id)
    ).all()
    keys = [profile_id, *own_cases, *(row.id for row in said)]
    hold_rows(uow, keys)
    queue(uow, PROFILE, profile_id)
    queue_many(uow, CASE, [(each, profile_id) for each in own_cases])
    queue_many(uow, INTERACTION, [(row.id, row.case_id) for row in said])
    return keys

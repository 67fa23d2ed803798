"""Finds the account that an answer is about, or notes a handle that was only spoken of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, insert, select, update

from connector.domain.events import from_millis, to_millis
from connector.domain.handles import read_handle
from connector.domain.profiles import handle_key, spoken_id
from connector.errors import Conflict, HandleInvalid, InputInvalid, NotFound
from connector.flows.consent.words import RecordConsent
from connector.flows.context import Context
from connector.store.tables import profile_handles, social_profiles
from connector.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the network has told of, when it was made there, if it said so, and whether it was renamed."""

    id: str
    created_at: datetime | None
    was_renamed: bool

    def had_the_handle_at(self, moment: datetime) -> bool:
        """Whether it must have: nobody else gave up the handle since, neither to a new account nor to a renamed one."""
        return not self.was_renamed and (self.created_at is None or self.created_at <= moment)


_COMPANYS_OWN = "This is an account of the company itself: pick the customer's."


def account_of(uow: UnitOfWork, ctx: Context, command: RecordConsent, now: datetime) -> str:
    """The id of the account the command names; a handle that nothing came from yet becomes an account to bind later.

    Raises NotFound, HandleInvalid, InputInvalid where neither is given, or Conflict where several accounts have it.
    """
    if command.profile_id is not None:
        return _of_customer(uow.connection, command.profile_id)
    spoken = _spoken(ctx, command.network, command.handle, command.scope)
    return _that_wrote(uow.connection, spoken) or _unbound(uow, ctx, spoken, now)


def known_account(
    connection: Connection, ctx: Context, profile_id: str | None, network: str | None, handle: str | None, scope: str
) -> str | None:
    """The id that ``account_of`` would give, where there is such an account already; writes nothing.

    Raises what ``account_of`` raises.
    """
    if profile_id is not None:
        return _of_customer(connection, profile_id)
    spoken = _spoken(ctx, network, handle, scope)
    return _that_wrote(connection, spoken) or _that_waits(connection, spoken)


@dataclass(frozen=True, slots=True)
class _Spoken:
    network: str
    scope: str
    handle: str

    @property
    def key(self) -> str:
        return handle_key(self.network, self.handle)


def _of_customer(connection: Connection, profile_id: str) -> str:
    found = select(social_profiles.c.kind).where(social_profiles.c.id == profile_id)
    kind = connection.execute(found).scalar_one_or_none()
    if kind is None:
        raise NotFound("There is no such account: pick it from the case, or give network and handle.")
    if kind == "brand":
        raise InputInvalid(_COMPANYS_OWN)
    return profile_id


def _spoken(ctx: Context, network: str | None, handle: str | None, scope: str) -> _Spoken:
    if not network or not handle:
        raise InputInvalid("The account is missing: give its id, or network and handle.")
    known = ctx.channels.canonical_network(network)
    if known is None:
        raise InputInvalid("The network is not in channels.yml: use its name there, or add it.")
    read = read_handle(known, handle)
    if read is None:
        raise HandleInvalid
    return _Spoken(known, scope, read)


def _that_wrote(connection: Connection, spoken: _Spoken) -> str | None:
    named = and_(social_profiles.c.network == spoken.network, social_profiles.c.handle_key == spoken.key)
    if spoken.scope:
        named = and_(named, social_profiles.c.scope == spoken.scope)
    rows = connection.execute(select(social_profiles).where(named, social_profiles.c.status == "active")).all()
    bound = [row for row in rows if row.external_id is not None]
    if len(bound) > 1:
        raise Conflict("Several accounts have this handle: open the case and pick the one that wrote.")
    if bound and bound[0].kind == "brand":
        raise InputInvalid(_COMPANYS_OWN)
    return str(bound[0].id) if bound else None


def _that_waits(connection: Connection, spoken: _Spoken) -> str | None:
    same = and_(
        social_profiles.c.network == spoken.network,
        social_profiles.c.scope == spoken.scope,
        social_profiles.c.handle_key == spoken.key,
        social_profiles.c.external_id.is_(None),
    )
    return connection.execute(select(social_profiles.c.id).where(same)).scalar_one_or_none()


def _unbound(uow: UnitOfWork, ctx: Context, spoken: _Spoken, now: datetime) -> str:
    known = _that_waits(uow.connection, spoken)
    if known is not None:
        revived = update(social_profiles).where(social_profiles.c.id == known).values(status="active")
        uow.connection.execute(revived)
        return known
    profile_id = spoken_id(ctx.namespace, spoken.network, spoken.scope, spoken.key)
    uow.connection.execute(
        insert(social_profiles).values(
            id=profile_id,
            network=spoken.network,
            scope=spoken.scope,
            handle=spoken.handle,
            handle_key=spoken.key,
            first_seen_at=to_millis(now),
            last_seen_at=to_millis(now),
        )
    )
    return profile_id


def accounts_with_handle_of(uow: UnitOfWork, unbound_id: str) -> list[Account]:
    """The accounts that have the handle now under which an unbound one is known."""
    table = social_profiles.c
    spoken = uow.connection.execute(select(social_profiles).where(table.id == unbound_id)).one()
    same = and_(table.network == spoken.network, table.handle_key == spoken.handle_key, table.external_id.is_not(None))
    if spoken.scope:
        same = and_(same, table.scope == spoken.scope)
    otherwise = exists().where(
        profile_handles.c.profile_id == table.id, profile_handles.c.handle_key != table.handle_key
    )
    columns = (table.id, table.account_created_at, otherwise.label("was_renamed"))
    living = select(*columns).where(same, table.status == "active", table.kind != "brand")
    return [
        Account(row.id, row.account_created_at and from_millis(row.account_created_at), bool(row.was_renamed))
        for row in uow.connection.execute(living.order_by(table.id))
    ]

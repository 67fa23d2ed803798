"""Rows of users, API keys and login attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain.events import from_millis, to_millis
from connector.domain.people import ApiKey, Role, User
from connector.store.tables import api_keys, login_attempts, users
from connector.store.unit_of_work import UnitOfWork


def add_user(uow: UnitOfWork, user: User, password_hash: str) -> None:
    """Stores a new user."""
    uow.connection.execute(
        insert(users).values(
            id=user.id,
            name=user.name,
            password_hash=password_hash,
            role=user.role,
            crm_user_id=user.crm_user_id,
            session_epoch=user.session_epoch,
            is_active=user.is_active,
            created_at=to_millis(user.created_at),
        )
    )


def user_named(connection: Connection, name: str) -> tuple[User, str] | None:
    """The user of this name with the hash of the password; None where there is none."""
    row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    return (_user(row), row.password_hash) if row else None


def user_with_id(connection: Connection, user_id: str) -> User | None:
    """The user of this id; None where there is none."""
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return _user(row) if row else None


def all_users(connection: Connection) -> list[User]:
    """Every user, by name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def count_active(connection: Connection, role: Role) -> int:
    """How many active users hold the role."""
    counted = select(func.count()).select_from(users).where(users.c.role == role, users.c.is_active)
    return int(connection.execute(counted).scalar_one())


def change_user(
    uow: UnitOfWork,
    user_id: str,
    *,
    role: Role | None = None,
    is_active: bool | None = None,
    password_hash: str | None = None,
    crm_user_id: str | None = None,
    end_sessions: bool = False,
) -> None:
    """Changes what is given, and ends every session of the user where told to."""
    given = {"role": role, "is_active": is_active, "password_hash": password_hash, "crm_user_id": crm_user_id}
    values: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if end_sessions:
        values["session_epoch"] = users.c.session_epoch + 1
    uow.connection.execute(update(users).where(users.c.id == user_id).values(**values))


def add_key(uow: UnitOfWork, key: ApiKey, token_hash: str) -> None:
    """Stores a new API key by the hash of its token."""
    uow.connection.execute(
        insert(api_keys).values(
            id=key.id,
            name=key.name,
            token_hash=token_hash,
            hint=key.hint,
            role=key.role,
            created_at=to_millis(key.created_at),
        )
    )


def key_of_token(connection: Connection, token_hash: str) -> ApiKey | None:
    """The key whose token has this hash, revoked ones included; None where there is none."""
    row = connection.execute(select(api_keys).where(api_keys.c.token_hash == token_hash)).one_or_none()
    return _key(row) if row else None


def all_keys(connection: Connection) -> list[ApiKey]:
    """Every key, newest first."""
    ordered = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
    return [_key(row) for row in connection.execute(ordered)]


def revoke_key(uow: UnitOfWork, key_id: str, now: datetime) -> bool:
    """Whether a live key of this id was there and is revoked now."""
    changed = uow.connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=to_millis(now))
    )
    return changed.rowcount == 1


def touch_key(uow: UnitOfWork, key_id: str, now: datetime) -> None:
    """Notes that the key was used."""
    uow.connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(used_at=to_millis(now)))


def failures(connection: Connection, keys: Sequence[str], window_at: int) -> dict[str, int]:
    """Failed logins in the window, by key; keys without any are absent."""
    rows = connection.execute(
        select(login_attempts.c.key, login_attempts.c["count"].label("failed")).where(
            login_attempts.c.key.in_(keys), login_attempts.c.window_at == window_at
        )
    )
    return {row.key: row.failed for row in rows}


def count_failure(uow: UnitOfWork, keys: Sequence[str], window_at: int) -> None:
    """Counts one failed login under each key, and forgets the windows before."""
    build = sqlite_insert if uow.is_sqlite else postgres_insert
    uow.connection.execute(delete(login_attempts).where(login_attempts.c.window_at < window_at))
    statement = build(login_attempts).values([{"key": key, "window_at": window_at, "count": 1} for key in keys])
    uow.connection.execute(
        statement.on_conflict_do_update(
            index_elements=[login_attempts.c.key, login_attempts.c.window_at],
            set_={"count": login_attempts.c["count"] + 1},
        )
    )


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        is_active=bool(row.is_active),
        session_epoch=row.session_epoch,
        created_at=from_millis(row.created_at),
        crm_user_id=row.crm_user_id,
    )


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        hint=row.hint,
        role=Role(row.role),
        created_at=from_millis(row.created_at),
        used_at=from_millis(row.used_at) if row.used_at is not None else None,
        revoked_at=from_millis(row.revoked_at) if row.revoked_at is not None else None,
    )

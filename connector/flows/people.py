"""People and keys: who may sign in, with which role, and how that ends."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from connector.domain.events import to_millis
from connector.domain.keys import random_id
from connector.domain.people import USER_ROLES, ApiKey, Principal, Role, User
from connector.errors import Conflict, Forbidden, InputInvalid, NotFound, Unauthenticated
from connector.flows.context import Context
from connector.store import audit, people

HASHER = PasswordHasher()
SHORTEST_PASSWORD = 12
TOKEN_PREFIX = "cnk_"  # noqa: S105 - the start of every token, for secret scanners
SYSTEM = "system"

WINDOW_MS = 5 * 60 * 1000
PER_PAIR, PER_NAME, PER_ADDRESS = 5, 30, 60
"""Failed logins allowed in five minutes: for one name from one address, for one name, and from one address (offices and
proxies share one, so that limit is the widest)."""

TOUCH_EVERY = timedelta(minutes=5)


class TooManyAttempts(Forbidden):
    """Too many failed sign-ins; wait five minutes and try again."""

    code = "too_many_attempts"


def create_user(
    ctx: Context, name: str, password: str, role: str, *, actor: str = SYSTEM, crm_user_id: str | None = None
) -> User:
    """The new user. Raises InputInvalid for a short password or unknown role, Conflict for a name that is taken."""
    name = name.strip()
    if not name or len(name) > 100:
        raise InputInvalid("A user needs a name of 1 to 100 characters.")
    user = User(random_id("usr"), name, _user_role(role), True, 0, ctx.clock(), crm_user_id or None)
    password_hash = _hash(password)
    with ctx.store.begin() as uow:
        if people.user_named(uow.connection, name):
            raise Conflict("There is a user of this name; choose another, or change that user's password.")
        people.add_user(uow, user, password_hash)
        audit.note(
            uow,
            at=user.created_at,
            actor=actor,
            action="user.create",
            obj="user",
            object_id=user.id,
            detail={"role": user.role},
        )
    return user


def change_user(
    ctx: Context,
    user_id: str,
    *,
    actor: str = SYSTEM,
    role: str | None = None,
    password: str | None = None,
    is_active: bool | None = None,
) -> User:
    """The user as changed, with every session ended; raises Conflict for the last active admin's removal."""
    new_role = _user_role(role) if role is not None else None
    password_hash = _hash(password) if password is not None else None
    with ctx.store.begin() as uow:
        user = people.user_with_id(uow.connection, user_id)
        if user is None:
            raise NotFound("There is no user of this id.")
        loses_admin = (
            user.role is Role.ADMIN and user.is_active and (is_active is False or new_role not in (None, Role.ADMIN))
        )
        if loses_admin and people.count_active(uow.connection, Role.ADMIN) == 1:
            raise Conflict("This is the last active admin; make another one first.")
        people.change_user(
            uow, user_id, role=new_role, password_hash=password_hash, is_active=is_active, end_sessions=True
        )
        audit.note(
            uow,
            at=ctx.clock(),
            actor=actor,
            action="user.change",
            obj="user",
            object_id=user_id,
            detail={"role": new_role, "is_active": is_active, "password": password is not None},
        )
        changed = people.user_with_id(uow.connection, user_id)
    return changed or user


def end_sessions(ctx: Context, user_id: str) -> None:
    """Signs the user out everywhere."""
    with ctx.store.begin() as uow:
        people.change_user(uow, user_id, end_sessions=True)


def users(ctx: Context) -> list[User]:
    """Every user, by name."""
    with ctx.store.read() as connection:
        return people.all_users(connection)


def user_named(ctx: Context, name: str) -> User:
    """The user of this name; raises NotFound."""
    with ctx.store.read() as connection:
        found = people.user_named(connection, name)
    if found is None:
        raise NotFound("There is no user of this name; `connector user list` shows all.")
    return found[0]


def bootstrap_admin(ctx: Context, password: str, name: str = "admin") -> User | None:
    """The first admin, made from CONNECTOR_ADMIN_PASSWORD where nobody can sign in yet; None where somebody can."""
    if not password or users(ctx):
        return None
    return create_user(ctx, name, password, Role.ADMIN)


def sign_in(ctx: Context, name: str, password: str, address: str) -> User:
    """The user whose password this is. Raises Unauthenticated, or TooManyAttempts; both take the same time."""
    window = to_millis(ctx.clock()) // WINDOW_MS * WINDOW_MS
    limits = _limits(name.strip(), address)
    with ctx.store.read() as connection:
        counts = people.failures(connection, list(limits), window)
        found = people.user_named(connection, name.strip())
    if any(counts.get(key, 0) >= limit for key, limit in limits.items()):
        raise TooManyAttempts
    user, password_hash = found or (None, _dummy_hash())
    if not _verifies(password_hash, password) or user is None or not user.is_active:
        with ctx.store.begin() as uow:
            people.count_failure(uow, list(limits), window)
        raise Unauthenticated("The name or the password is wrong.")
    if HASHER.check_needs_rehash(password_hash):
        with ctx.store.begin() as uow:
            people.change_user(uow, user.id, password_hash=HASHER.hash(password))
    return user


def session_user(ctx: Context, user_id: str, epoch: int) -> User | None:
    """The user of a session that is still good: active, and not signed out since."""
    with ctx.store.read() as connection:
        user = people.user_with_id(connection, user_id)
    return user if user and user.is_active and user.session_epoch == epoch else None


def create_key(ctx: Context, name: str, role: str, *, actor: str = SYSTEM) -> tuple[ApiKey, str]:
    """The new key and its token, which is shown this once and stored only as a hash."""
    name = name.strip()
    if not name or len(name) > 100:
        raise InputInvalid("A key needs a name of 1 to 100 characters, telling which program uses it.")
    if role not in tuple(Role):
        raise InputInvalid(f"A key's role is one of: {', '.join(Role)}.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(random_id("key"), name, token[-4:], Role(role), ctx.clock())
    with ctx.store.begin() as uow:
        people.add_key(uow, key, _token_hash(token))
        audit.note(
            uow,
            at=key.created_at,
            actor=actor,
            action="key.create",
            obj="key",
            object_id=key.id,
            detail={"role": key.role},
        )
    return key, token


def revoke_key(ctx: Context, key_id: str, *, actor: str = SYSTEM) -> None:
    """Ends a key at once; raises NotFound when there is no live key of this id."""
    with ctx.store.begin() as uow:
        if not people.revoke_key(uow, key_id, ctx.clock()):
            raise NotFound("There is no live key of this id.")
        audit.note(uow, at=ctx.clock(), actor=actor, action="key.revoke", obj="key", object_id=key_id)


def keys(ctx: Context) -> list[ApiKey]:
    """Every key, newest first."""
    with ctx.store.read() as connection:
        return people.all_keys(connection)


def key_principal(ctx: Context, token: str) -> Principal:
    """Who holds the token; raises Unauthenticated for an unknown or revoked one."""
    with ctx.store.read() as connection:
        key = people.key_of_token(connection, _token_hash(token))
    if key is None or key.revoked_at is not None:
        raise Unauthenticated("The API key is unknown or revoked; ask an admin for a new one.")
    now = ctx.clock()
    if key.used_at is None or now - key.used_at >= TOUCH_EVERY:
        _touch(ctx, key, now)
    return Principal("key", key.id, key.name, key.role)


def user_principal(user: User) -> Principal:
    """The signed-in user as the one who asks."""
    return Principal("user", user.id, user.name, user.role)


def _touch(ctx: Context, key: ApiKey, now: datetime) -> None:
    with ctx.store.begin() as uow:
        people.touch_key(uow, key.id, now)


def _user_role(role: str) -> Role:
    if role not in USER_ROLES:
        raise InputInvalid(f"A user's role is one of: {', '.join(USER_ROLES)}.")
    return Role(role)


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= 1000:
        raise InputInvalid(f"A password needs at least {SHORTEST_PASSWORD} characters.")
    return HASHER.hash(password)


def _verifies(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _dummy_hash() -> str:
    return HASHER.hash(secrets.token_urlsafe(16))


def _token_hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _limits(name: str, address: str) -> dict[str, int]:
    def key(*parts: str) -> str:
        return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    return {key("pair", name, address): PER_PAIR, key("name", name): PER_NAME, key("address", address): PER_ADDRESS}

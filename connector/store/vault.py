"""The evidence vault: what shows an answer later, encrypted with one key per link.

Personal data stands here and nowhere in the ledger, which holds a commitment instead: an HMAC whose random key lies
inside the ciphertext. Deleting the link's key makes the evidence unreadable and its commitment impossible to guess.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, Row, delete, insert, select

from connector.domain.events import from_millis, to_millis
from connector.domain.keys import random_id
from connector.errors import Misconfigured
from connector.store.tables import evidence, subject_keys
from connector.store.unit_of_work import UnitOfWork

_NONCE = 12
DOES_NOT_OPEN = "Evidence does not open: CONNECTOR_SECRET_KEY is not the one it was kept under, or the row was changed."


@dataclass(frozen=True, slots=True)
class Commitment:
    """What the ledger keeps of a piece of evidence."""

    evidence_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A piece of evidence, readable, and the commitment that it must equal."""

    evidence_id: str
    link_id: str
    kind: str
    recorded_at: datetime
    content: Mapping[str, Any]
    commitment: Commitment


def seal(
    uow: UnitOfWork, secret_key: str, link_id: str, kind: str, content: Mapping[str, Any], at: datetime
) -> Commitment:
    """Keeps the content under the link's key; the commitment to it."""
    evidence_id = random_id("ev")
    salt = secrets.token_bytes(32)
    plain = _plain({"salt": salt.hex(), "content": dict(content)})
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(_key_of(uow, secret_key, link_id)).encrypt(nonce, plain, _about(link_id, evidence_id))
    uow.connection.execute(
        insert(evidence).values(
            id=evidence_id, link_id=link_id, kind=kind, nonce=nonce, ciphertext=sealed, recorded_at=to_millis(at)
        )
    )
    return Commitment(evidence_id, _commit(salt, content))


def open_evidence(connection: Connection, secret_key: str, link_id: str) -> list[Opened]:
    """The link's evidence, oldest first; nothing once its key is gone.

    Raises Misconfigured where CONNECTOR_SECRET_KEY is not the one that it was kept under.
    """
    wrapped = wrapped_keys(connection, [link_id]).get(link_id)
    if wrapped is None:
        return []
    statement = select(evidence).where(evidence.c.link_id == link_id).order_by(evidence.c.recorded_at, evidence.c.id)
    return [_open(secret_key, wrapped, row) for row in connection.execute(statement)]


def open_pieces(connection: Connection, secret_key: str, evidence_ids: Collection[str]) -> dict[str, Opened | None]:
    """These pieces of evidence by id, without those that are gone or whose key is; None for one that does not open."""
    rows = connection.execute(select(evidence).where(evidence.c.id.in_(evidence_ids))).all()
    keys = wrapped_keys(connection, {row.link_id for row in rows})
    found: dict[str, Opened | None] = {}
    for row in rows:
        if row.link_id in keys:
            try:
                found[row.id] = _open(secret_key, keys[row.link_id], row)
            except Misconfigured:
                found[row.id] = None
    return found


def wrapped_keys(connection: Connection, link_ids: Collection[str]) -> dict[str, bytes]:
    """The wrapped key of each of these links whose evidence was not shredded."""
    statement = select(subject_keys.c.link_id, subject_keys.c.wrapped_key).where(subject_keys.c.link_id.in_(link_ids))
    return {row.link_id: row.wrapped_key for row in connection.execute(statement)}


def shred(uow: UnitOfWork, link_id: str) -> int:
    """Deletes the link's key and evidence; how many pieces there were."""
    gone = uow.connection.execute(delete(evidence).where(evidence.c.link_id == link_id)).rowcount
    uow.connection.execute(delete(subject_keys).where(subject_keys.c.link_id == link_id))
    return gone


def _key_of(uow: UnitOfWork, secret_key: str, link_id: str) -> bytes:
    wrapped = wrapped_keys(uow.connection, [link_id]).get(link_id)
    if wrapped is not None:
        return _unwrap(secret_key, link_id, wrapped)
    key, nonce = AESGCM.generate_key(bit_length=256), secrets.token_bytes(_NONCE)
    wrapped = nonce + AESGCM(_wrapping_key(secret_key)).encrypt(nonce, key, link_id.encode())
    uow.connection.execute(insert(subject_keys).values(link_id=link_id, wrapped_key=wrapped))
    return key


def _open(secret_key: str, wrapped: bytes, row: Row[Any]) -> Opened:
    key = _unwrap(secret_key, row.link_id, wrapped)
    opened = json.loads(_decrypt(key, row.nonce, row.ciphertext, _about(row.link_id, row.id)))
    commitment = Commitment(row.id, _commit(bytes.fromhex(opened["salt"]), opened["content"]))
    return Opened(row.id, row.link_id, row.kind, from_millis(row.recorded_at), opened["content"], commitment)


def _unwrap(secret_key: str, link_id: str, wrapped: bytes) -> bytes:
    return _decrypt(_wrapping_key(secret_key), wrapped[:_NONCE], wrapped[_NONCE:], link_id.encode())


@lru_cache(maxsize=4)
def _wrapping_key(secret_key: str) -> bytes:
    if not secret_key:
        raise Misconfigured(
            "CONNECTOR_SECRET_KEY is not set, so evidence cannot be kept: make one with `openssl rand -hex 32`."
        )
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"connector evidence vault 1")
    return kdf.derive(secret_key.encode())


def _decrypt(key: bytes, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, sealed, about)
    except InvalidTag as error:
        raise Misconfigured(DOES_NOT_OPEN) from error


def _about(link_id: str, evidence_id: str) -> bytes:
    return f"{link_id}\x1f{evidence_id}".encode()


def _commit(salt: bytes, content: Mapping[str, Any]) -> str:
    return hmac.digest(salt, _plain(content), "sha256").hex()


def _plain(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

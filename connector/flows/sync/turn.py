"""Whose turn it is to read the CRM: one process at a time, and one that died holds nobody up."""

from __future__ import annotations

import os
from socket import gethostname
from uuid import uuid4

from connector.flows.context import Context
from connector.store.crm_state import hold_state, read_state, write_state
from connector.store.unit_of_work import UnitOfWork

TURN, TURN_MS = "sync", 180_000
"""Each batch that is read prolongs the turn, and no question to the CRM takes so long; two that read at once write the
same."""

_LIFE = uuid4().hex
"""Tells this process from one before it that had the same number, as in a container that was started anew."""


def take_turn(ctx: Context) -> bool:
    """Whether this process may read now."""
    with ctx.store.begin() as uow:
        held = hold_state(uow, TURN)
        if int(held.get("until", 0)) > uow.database_now() and not is_dead(str(held.get("by", ""))):
            return False
        extend_turn(uow)
    return True


def extend_turn(uow: UnitOfWork) -> None:
    """Keeps the turn of a reading that goes on; that of a machine which died lapses."""
    held = read_state(uow.connection, TURN)
    write_state(uow, TURN, {**held, "until": uow.database_now() + TURN_MS, "by": this_process()})


def end_turn(ctx: Context) -> None:
    """Lets others read."""
    with ctx.store.begin() as uow:
        write_state(uow, TURN, {**hold_state(uow, TURN), "until": 0})


def this_process() -> str:
    """Host, number and life of this process."""
    return f"{gethostname()} {os.getpid()} {_LIFE}"


def is_dead(process: str) -> bool:
    """Whether a process of this machine is no more; of other machines nobody here can tell."""
    host, _, rest = process.partition(" ")
    number, _, life = rest.partition(" ")
    if host != gethostname() or not number.isdigit():
        return False
    if int(number) == os.getpid():
        return life != _LIFE
    try:
        os.kill(int(number), 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False

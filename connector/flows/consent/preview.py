"""What a yes would move, told before it is recorded: here and in the CRM. Nothing is written or permitted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from connector.domain.consent import ASSERTED, LinkRecord, LinkState
from connector.domain.links import Permit
from connector.errors import ContactNotFound, InputInvalid
from connector.flows.access import permit
from connector.flows.consent.accounts import known_account
from connector.flows.consent.acts import moment_of
from connector.flows.consent.record import asking_rests_until
from connector.flows.context import Context
from connector.flows.projection import ATTACH, contacts_chosen_in_crm
from connector.store.consent import active_links, links_of_pair, living_contacts
from connector.store.reach import Share, records_with_contact, shares

VIEW = "timeline.view"

TOLD = ("link_status", "link_method", "linked_at", "link_ref")
"""The values of the CRM mapping that tell of a link; all others are the same before and after a yes."""


class Standstill(StrEnum):
    """Why a yes would move nothing."""

    ALREADY = "already"  # this contact's yes is in force: another one prolongs it
    COOLING_OFF = "cooling_off"  # a no or a not now: the answer would be refused
    AMBIGUOUS = "ambiguous"  # another contact's link is in force: with two, nobody is named
    HOLD = "hold"  # the link rests until somebody releases it
    NOT_ENOUGH = "not_enough"  # recorded, but an agent's word or these purposes do not suffice


@dataclass(frozen=True, slots=True)
class Writing:
    """What is written to one kind of record in the CRM: how many, and which fields by the value that they take."""

    kind: str
    object: str
    records: int
    contact_field: str | None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a yes to these purposes would move; ``shares`` is all there is of the account, whether it moves or not."""

    profile_id: str | None
    """None for a handle that nobody wrote from or spoke of yet."""
    contact_id: str
    purposes: tuple[str, ...]
    standstill: Standstill | None
    until: datetime | None
    """Until when nobody asks again, for ``cooling_off``."""
    shares: tuple[Share, ...]
    writes: tuple[Writing, ...]
    kept_by_crm: int
    """Cases that keep the contact which a person chose in the CRM."""

    @property
    def cases(self) -> int:
        """How many cases the account has."""
        return sum(each.cases for each in self.shares)

    @property
    def interactions(self) -> int:
        """How many interactions the account has."""
        return sum(each.interactions for each in self.shares)

    @property
    def first_at(self) -> int | None:
        """When the account was first heard of, in epoch milliseconds."""
        return min((each.first_at for each in self.shares if each.first_at is not None), default=None)

    @property
    def last_at(self) -> int | None:
        """When it was last heard of."""
        return max((each.last_at for each in self.shares if each.last_at is not None), default=None)


def preview(
    ctx: Context,
    contact_id: str,
    *,
    profile_id: str | None = None,
    network: str | None = None,
    handle: str | None = None,
    scope: str = "",
    purposes: Collection[str] | None = None,
) -> Preview:
    """What would move if the customer said yes to these purposes (to all, where none are named); writes nothing.

    Raises what recording would raise for the account and the contact, and InputInvalid for an unknown purpose.
    """
    asked = frozenset(ctx.consent.purposes if purposes is None else purposes)
    if not asked or not asked <= ctx.consent.purposes.keys():
        raise InputInvalid(f"Such a purpose is not in purposes.yml: use {', '.join(ctx.consent.purposes)}.")
    with ctx.store.read() as connection:
        if contact_id not in living_contacts(connection, [contact_id]):
            raise ContactNotFound
        account = known_account(connection, ctx, profile_id, network, handle, scope)
        pair = links_of_pair(connection, account, contact_id) if account else []
        look = _Look(connection, ctx, account, contact_id, asked, tuple(pair), moment_of(ctx))
        standstill, until = look.standstill()
        chosen, writes = look.writes() if standstill is None else (0, ())
        return Preview(
            profile_id=account,
            contact_id=contact_id,
            purposes=tuple(name for name in ctx.consent.purposes if name in asked and look.moves(name)),
            standstill=standstill,
            until=until,
            shares=tuple(shares(connection, account)) if account else (),
            writes=writes,
            kept_by_crm=chosen,
        )


@dataclass(frozen=True, slots=True)
class _Look:
    connection: Connection
    ctx: Context
    account: str | None
    contact_id: str
    asked: frozenset[str]
    pair: tuple[LinkRecord, ...]
    now: datetime

    @property
    def live(self) -> LinkRecord | None:
        return next((each for each in self.pair if each.state is LinkState.ACTIVE), None)

    def standstill(self) -> tuple[Standstill | None, datetime | None]:
        until = asking_rests_until(self.pair, self.asked, self.now)
        if until is not None:
            return Standstill.COOLING_OFF, until
        if self.is_shown():
            return Standstill.ALREADY, None
        if self.others():
            return Standstill.AMBIGUOUS, None
        if self.live is not None and self.live.holds:
            return Standstill.HOLD, None
        return (None if any(map(self.opens, _MOVING)) else Standstill.NOT_ENOUGH), None

    def is_shown(self) -> bool:
        """Whether the account is shown on this contact already."""
        if self.account is None:
            return False
        answer = permit(self.connection, self.ctx.consent, self.account, VIEW, self.now)
        return isinstance(answer, Permit) and answer.contact_id == self.contact_id

    def others(self) -> set[str]:
        """The other contacts whose links are in force for this account."""
        if self.account is None:
            return set()
        active = active_links(self.connection, [self.account]).get(self.account, [])
        return {each.contact_id for each in active} - {self.contact_id}

    def moves(self, purpose: str) -> bool:
        """Whether anything that shows or writes belongs to the purpose."""
        return not self.ctx.consent.purposes[purpose].operations.isdisjoint(_MOVING)

    def opens(self, operation: str) -> bool:
        """Whether the yes would open the gate for the operation."""
        purpose = self.ctx.consent.purpose_of(operation)
        proven = self.live.assurance.strongest(ASSERTED) if self.live else ASSERTED
        return purpose is not None and purpose.name in self.asked and proven.covers(purpose.minimum)

    def writes(self) -> tuple[int, tuple[Writing, ...]]:
        """How many cases keep the CRM's own contact, and what is written to the records of each kind."""
        mapping = self.ctx.crm_mapping
        if mapping is None or self.account is None:
            return 0, ()
        own, said = records_with_contact(self.connection, self.account)
        kept = len(contacts_chosen_in_crm(self.connection, own, self.contact_id))
        counts = {"profile": 1, "case": len(own) - kept, "interaction": said}
        written = tuple(
            Writing(
                kind, obj.name, counts[kind], obj.contact,
                {rule.value: name for name, rule in obj.fields.items() if rule.value in TOLD},
            )
            for kind, obj in mapping.objects.items()
            if counts[kind] and self.opens(ATTACH[kind])
        )  # fmt: skip
        return kept, written


_MOVING = (VIEW, *ATTACH.values())

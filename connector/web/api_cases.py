"""Cases and interactions over the API; personal columns are null for reporters."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag
from sqlalchemy import RowMapping

from connector.domain.channels import Channel, Direction, Visibility
from connector.errors import NotFound
from connector.flows.submit import Submitter
from connector.queries import cases, timeline
from connector.queries.cases import CaseFilter
from connector.web.api_call import Call, Operation, iso
from connector.web.api_models import Moment, Paged, millis
from connector.web.who import people_behind

SUBMITTER = "connector_submitter"


class CaseQuery(Paged):
    """Which cases."""

    channel: Channel | None = None
    network: str | None = None
    state: Literal["open", "closed"] | None = None
    origin: Literal["connector", "crm"] | None = None
    waiting: bool | None = Field(None, description="true: only those whose customer wrote last")
    profile: str | None = Field(None, description="Only cases of this social profile")
    opened_from: Moment = None
    opened_to: Moment = None


class CaseOut(BaseModel):
    """A case; what is personal is null for roles that may not see it."""

    id: str
    origin: str
    channel: str
    network: str
    source: str | None
    visibility: str | None
    status: str
    priority: str | None
    opened_at: str | None
    closed_at: str | None
    first_inbound_at: str | None
    first_response_at: str | None
    first_response_seconds: float | None
    last_inbound_at: str | None
    last_outbound_at: str | None
    waiting: bool
    inbound_touches: int
    outbound_touches: int
    reopen_count: int
    parent_id: str | None
    crm_id: str | None
    crm_number: str | None
    subject: str | None = Field(description="Personal")
    profile_id: str | None = Field(description="Personal")
    handle: str | None = Field(description="Personal")
    contact_id: str | None = Field(
        description="Personal; the linked contact where a live consent permits, or the CRM's"
    )


class CaseList(BaseModel):
    """A page of cases, newest first."""

    items: list[CaseOut]
    next: str | None


class InteractionQuery(Paged):
    """Which interactions."""

    case: str | None = None
    channel: Channel | None = None
    network: str | None = None
    direction: Direction | None = None
    since: Moment = None
    until: Moment = None


class InteractionOut(BaseModel):
    """One message, post, call or mail."""

    id: str
    case_id: str | None
    origin: str
    channel: str
    network: str
    kind: str | None
    direction: str | None
    author_role: str | None
    visibility: str | None
    state: str
    occurred_at: str | None
    received_at: str | None
    lang: str | None
    duration_seconds: int | None
    reactions: int
    possible_duplicate: bool
    text: str | None = Field(description="Personal")
    author_name: str | None = Field(description="Personal")
    permalink: str | None = Field(description="Personal")
    profile_id: str | None = Field(description="Personal")


class InteractionList(BaseModel):
    """A page of interactions, newest first."""

    items: list[InteractionOut]
    next: str | None


class AuthorIn(BaseModel, extra="allow"):
    """Who wrote it."""

    id: str
    handle: str | None = None
    name: str | None = None
    role: Literal["customer", "agent", "bot", "marketing", "system"] | None = None


class MessageIn(BaseModel, extra="allow"):
    """What was written."""

    id: str
    kind: str | None = None
    text: str | None = None
    sent_at: str | int | None = None
    thread_id: str | None = None
    parent_id: str | None = None
    visibility: Visibility | None = None


class CaseDataIn(BaseModel, extra="allow"):
    """The matter of a social case: network, author and message; more is described in docs/adding-a-source.md."""

    network: str
    author: AuthorIn | None = None
    message: MessageIn | None = None


class SocialCase(BaseModel):
    """One event of the generic social case, as any sender may post it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["message.created"])
    timestamp: str | int | None = None
    data: CaseDataIn


OneOrMany = Annotated[
    Annotated[SocialCase, Tag("event")] | Annotated[list[SocialCase], Tag("events")],
    Discriminator(lambda value: "events" if isinstance(value, list) else "event"),
]
"""Told apart by what was sent, so that a fault in one is not told as faults of both."""


class SocialCases(RootModel[OneOrMany]):
    """One event, or a list of them."""


class Accepted(BaseModel):
    """The submission is stored; it becomes a case when the worker comes to it."""

    delivery_key: str
    duplicate: bool = Field(description="true: the very same body was stored before")
    status: str = "accepted"


def list_cases(call: Call) -> CaseList:
    """Cases, newest first."""
    query = cast(CaseQuery, call.query)
    wanted = CaseFilter(
        channel=query.channel,
        network=query.network,
        state=query.state,
        origin=query.origin,
        waiting=query.waiting,
        profile_id=query.profile if call.personal else None,
        opened_from=millis(query.opened_from),
        opened_to=millis(query.opened_to),
    )
    with call.ctx.store.read() as connection:
        page = cases.case_list(connection, wanted, cursor=query.cursor, limit=query.limit)
        return CaseList(items=_cases(call, connection, page.rows), next=page.next)


def show_case(call: Call) -> CaseOut:
    """One case."""
    with call.ctx.store.read() as connection:
        row = cases.one_case(connection, call.text("case_id"))
        if row is None:
            raise NotFound("There is no case of this id.")
        return _cases(call, connection, [row])[0]


def create_case(call: Call) -> Accepted:
    """Stores a social case to be worked on; nothing of it is looked at in the request but its form."""
    submitter = cast(Submitter, call.extensions[SUBMITTER])
    stored = submitter.submit(call.raw)
    return Accepted(delivery_key=stored.key, duplicate=stored.duplicate)


def list_interactions(call: Call) -> InteractionList:
    """Interactions of everybody, newest first."""
    query = cast(InteractionQuery, call.query)
    with call.ctx.store.read() as connection:
        page = timeline.interaction_list(
            connection,
            case_id=query.case,
            channel=query.channel,
            network=query.network,
            direction=query.direction,
            since=millis(query.since),
            until=millis(query.until),
            cursor=query.cursor,
            limit=query.limit,
        )
    return InteractionList(items=[interaction_out(row, personal=call.personal) for row in page.rows], next=page.next)


def show_interaction(call: Call) -> InteractionOut:
    """One interaction."""
    with call.ctx.store.read() as connection:
        row = timeline.one_interaction(connection, call.text("interaction_id"))
    if row is None:
        raise NotFound("There is no interaction of this id.")
    return interaction_out(row, personal=call.personal)


def interaction_out(row: RowMapping, *, personal: bool) -> InteractionOut:
    """A row of interactions as the API tells it."""
    plain = (
        "id", "case_id", "origin", "channel", "network", "kind", "direction", "author_role", "visibility", "state",
        "lang", "duration_seconds", "reactions", "possible_duplicate",
    )  # fmt: skip
    hidden = ("text", "author_name", "permalink", "profile_id")
    values: dict[str, Any] = {name: row[name] for name in plain}
    values.update({name: row[name] if personal else None for name in hidden})
    return InteractionOut(**values, occurred_at=iso(row["occurred_at"]), received_at=iso(row["received_at"]))


def _cases(call: Call, connection: Any, rows: list[RowMapping]) -> list[CaseOut]:
    behind = people_behind(call.ctx, connection, [row["profile_id"] for row in rows]) if call.personal else {}
    found = []
    for row in rows:
        person = behind.get(row["profile_id"])
        own = row["crm_contact_id"] if row["origin"] == "crm" else None
        found.append(_case(row, personal=call.personal, contact_id=person.contact_id if person else own))
    return found


_PLAIN = (
    "id", "origin", "channel", "network", "source", "visibility", "status", "priority", "inbound_touches",
    "outbound_touches", "reopen_count", "parent_id", "crm_id", "crm_number",
)  # fmt: skip
_TIMES = ("opened_at", "closed_at", "first_inbound_at", "first_response_at", "last_inbound_at", "last_outbound_at")


def _case(row: RowMapping, *, personal: bool, contact_id: str | None) -> CaseOut:
    first, answer = row["first_inbound_at"], row["first_response_at"]
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    values.update({name: iso(row[name]) for name in _TIMES})
    values.update({name: row[name] if personal else None for name in ("subject", "profile_id", "handle")})
    return CaseOut(
        **values,
        waiting=bool(row["is_waiting"]) and row["closed_at"] is None,
        first_response_seconds=max(0, answer - first) / 1000 if first is not None and answer is not None else None,
        contact_id=contact_id if personal else None,
    )


OPERATIONS = (
    Operation("list_cases", "GET", "/cases", "Cases, newest first", list_cases, CaseList, CaseQuery, tag="cases"),
    Operation(
        "create_case", "POST", "/cases", "Post a social case from any sender", create_case, Accepted,
        body=SocialCases, status=202, tag="cases",
    ),
    Operation("show_case", "GET", "/cases/<case_id>", "One case", show_case, CaseOut, tag="cases"),
    Operation(
        "list_interactions", "GET", "/interactions", "Interactions, newest first", list_interactions, InteractionList,
        InteractionQuery, tag="interactions",
    ),
    Operation(
        "show_interaction", "GET", "/interactions/<interaction_id>", "One interaction", show_interaction,
        InteractionOut, tag="interactions",
    ),
)  # fmt: skip

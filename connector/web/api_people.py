"""Contacts' histories, profiles and suggestions over the API."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, Field
from sqlalchemy import RowMapping

from connector.domain.channels import Channel
from connector.domain.profiles import handle_key
from connector.errors import NotFound
from connector.flows import suggest
from connector.queries import people, timeline
from connector.web.api_call import Call, Operation, iso
from connector.web.api_cases import InteractionOut, interaction_out
from connector.web.api_models import Done, Paged
from connector.web.who import living_contact, people_behind, permitted_profiles


class HistoryQuery(Paged):
    """Which part of a history."""

    channel: Channel | None = None


class History(BaseModel):
    """A person's interactions over all channels, newest first: the CRM's own, and those of consented accounts."""

    contact_id: str = Field(description="The contact that the CRM keeps; another than asked for after a merge")
    profiles: list[str] = Field(description="The linked accounts whose interactions are in it, by a live consent")
    items: list[InteractionOut]
    next: str | None


class ProfileQuery(Paged):
    """Which profiles."""

    network: str | None = None
    handle: str | None = Field(None, description="The beginning of a handle")


class ProfileOut(BaseModel):
    """A social profile as last seen; the contact only where a live consent permits."""

    id: str
    network: str
    scope: str
    external_id: str | None
    handle: str | None
    display_name: str | None
    location: str | None
    bio: str | None
    followers: int | None
    verified: bool | None
    profile_url: str | None
    kind: str
    status: str
    first_seen_at: str | None
    last_seen_at: str | None
    contact_id: str | None


class ProfileList(BaseModel):
    """A page of profiles, the latest seen first."""

    items: list[ProfileOut]
    next: str | None


class SuggestionQuery(BaseModel, extra="forbid"):
    """How many candidates."""

    limit: int = Field(5, ge=1, le=20)


class ReasonOut(BaseModel):
    """One contribution to a score; the weights add up to its log-odds."""

    kind: str
    detail: str
    weight: float


class CandidateOut(BaseModel):
    """A contact this profile may belong to; asking changes nothing."""

    contact_id: str
    score: float = Field(description="A calibrated probability")
    reasons: list[ReasonOut]
    duplicates: list[str] = Field(description="Other contacts that are surely the same person in the CRM twice")


class Suggestions(BaseModel):
    """Candidates, the likeliest first; empty when nobody is plausible."""

    profile_id: str
    candidates: list[CandidateOut]


class Rejection(BaseModel, extra="forbid"):
    """Contacts that are not this person."""

    contact_ids: list[str] = Field(min_length=1, max_length=20)


def contact_history(call: Call) -> History:
    """A person's history."""
    query = cast(HistoryQuery, call.query)
    with call.ctx.store.read() as connection:
        row = living_contact(connection, call.text("crm_id"))
        if row is None:
            raise NotFound("The CRM's mirror has no contact of this id.")
        ids = people.same_person(connection, row["crm_id"])
        allowed = permitted_profiles(call.ctx, connection, row["crm_id"])
        page = timeline.history(connection, ids, allowed, channel=query.channel, cursor=query.cursor, limit=query.limit)
    items = [interaction_out(each, personal=True) for each in page.rows]
    return History(contact_id=row["crm_id"], profiles=allowed, items=items, next=page.next)


def list_profiles(call: Call) -> ProfileList:
    """Social profiles, the latest seen first."""
    query = cast(ProfileQuery, call.query)
    start = handle_key(query.network or "", query.handle) if query.handle else None
    with call.ctx.store.read() as connection:
        page = people.profile_list(
            connection, network=query.network, handle=start, cursor=query.cursor, limit=query.limit
        )
        return ProfileList(items=_profiles(call, connection, page.rows), next=page.next)


def show_profile(call: Call) -> ProfileOut:
    """One social profile."""
    with call.ctx.store.read() as connection:
        return _profiles(call, connection, [_known(connection, call.text("profile_id"))])[0]


def profile_suggestions(call: Call) -> Suggestions:
    """Whom to ask about; reads only."""
    query = cast(SuggestionQuery, call.query)
    profile_id = call.text("profile_id")
    found = suggest.suggest(call.ctx, profile_id, query.limit)
    return Suggestions(
        profile_id=profile_id,
        candidates=[
            CandidateOut(
                contact_id=each.contact_id,
                score=each.score,
                reasons=[ReasonOut(kind=one.kind, detail=one.detail, weight=one.weight) for one in each.reasons],
                duplicates=list(each.duplicates),
            )
            for each in found
        ],
    )


def reject_suggestion(call: Call) -> Done:
    """Remembers "not this one"; says nothing about a link."""
    body = cast(Rejection, call.body)
    for contact_id in body.contact_ids:
        suggest.reject(call.ctx, call.text("profile_id"), contact_id, call.principal.actor)
    return Done(changed=len(body.contact_ids))


def _known(connection: Any, profile_id: str) -> RowMapping:
    row = people.profile(connection, profile_id)
    if row is None:
        raise NotFound("There is no social profile of this id.")
    return row


_PLAIN = (
    "id", "network", "scope", "external_id", "handle", "display_name", "location", "bio", "followers", "verified",
    "profile_url", "kind", "status",
)  # fmt: skip


def _profiles(call: Call, connection: Any, rows: list[RowMapping]) -> list[ProfileOut]:
    behind = people_behind(call.ctx, connection, [row["id"] for row in rows])
    return [
        ProfileOut(
            **{name: row[name] for name in _PLAIN},
            first_seen_at=iso(row["first_seen_at"]),
            last_seen_at=iso(row["last_seen_at"]),
            contact_id=behind[row["id"]].contact_id,
        )
        for row in rows
    ]


OPERATIONS = (
    Operation(
        "contact_history", "GET", "/contacts/<crm_id>/history", "A person's history over all channels",
        contact_history, History, HistoryQuery, tag="contacts",
    ),
    Operation(
        "list_profiles", "GET", "/profiles", "Social profiles, the latest seen first", list_profiles, ProfileList,
        ProfileQuery, tag="profiles",
    ),
    Operation("show_profile", "GET", "/profiles/<profile_id>", "One profile", show_profile, ProfileOut, tag="profiles"),
    Operation(
        "profile_suggestions", "GET", "/profiles/<profile_id>/suggestions", "Whom to ask about", profile_suggestions,
        Suggestions, SuggestionQuery, tag="profiles",
    ),
    Operation(
        "reject_suggestion", "POST", "/profiles/<profile_id>/suggestions/reject", "Remember that it is not these",
        reject_suggestion, Done, body=Rejection, tag="profiles",
    ),
)  # fmt: skip

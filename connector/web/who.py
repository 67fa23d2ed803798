"""Who somebody is, as far as it may be shown: every look at (account, contact) passes the gate here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping

from connector.domain.consent import LinkState
from connector.domain.events import to_millis
from connector.domain.links import Denied, DenyReason, Permit
from connector.flows.access import permits
from connector.flows.context import Context
from connector.queries import people, timeline
from connector.queries.people import LinkView
from connector.web.present import hold_words, person_name

VIEW = "timeline.view"

DENIED_WORDS: Mapping[DenyReason, str] = {
    DenyReason.NO_LINK: "",
    DenyReason.AMBIGUOUS: "Two contacts are linked with this account, so neither is shown. Ask whose it is, and unlink "
    "the other.",
    DenyReason.HOLD: "On hold",
    DenyReason.NO_GRANT: "The customer agreed to something else, but not to be shown here for service.",
    DenyReason.REFUSED: "The customer said no.",
    DenyReason.WITHDRAWN: "The customer withdrew.",
    DenyReason.GRANT_EXPIRED: "The consent ran out.",
    DenyReason.NOTICE_STALE: "What was agreed to has changed since; ask again with today's wording.",
    DenyReason.LEVEL_TOO_LOW: "The account or the contact is not proven well enough yet.",
    DenyReason.CONTACT_MISSING: "The contact is gone from the CRM.",
    DenyReason.UNMAPPED_OPERATION: "No purpose covers showing the history; an admin must correct purposes.yml.",
}


@dataclass(frozen=True, slots=True)
class Person:
    """What a list may show of the person behind an account: the contact where permitted, else nothing but why not."""

    contact_id: str | None = None
    name: str = ""
    held: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the card "Who is this?" needs: the person, the links that matter, and how much history there is."""

    contact_id: str | None
    name: str
    held: bool
    words: str
    link: LinkView | None
    counts: Mapping[str, int] = field(default_factory=dict)
    closed: Sequence[LinkView] = ()
    """The links in force of which the gate shows nothing, holds apart."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Contacts that are asked about already, each with its link's state: nobody asks about them now."""
    rests_until: int | None = None
    """After a no or a not now: until when nobody asks about the same contact again."""

    @property
    def is_open(self) -> bool:
        """Whether nobody is linked, so that there is somebody to guess."""
        return self.contact_id is None and not self.held and not self.closed


def people_behind(ctx: Context, connection: Connection, profile_ids: Collection[str | None]) -> dict[str, Person]:
    """The person behind each account, as far as a permit allows."""
    wanted = {each for each in profile_ids if each}
    if not wanted:
        return {}
    answers = permits(connection, ctx.consent, wanted, VIEW, ctx.clock())
    found = people.contacts(connection, [each.contact_id for each in answers.values() if isinstance(each, Permit)])
    return {profile_id: _person(answer, found) for profile_id, answer in answers.items()}


def standing(ctx: Context, connection: Connection, profile_id: str) -> Standing:
    """Everything the card needs about one account."""
    person = people_behind(ctx, connection, [profile_id])[profile_id]
    views = people.links_of(connection, profile_id=profile_id)
    active = [view for view in views if view.row["state"] == LinkState.ACTIVE]
    link = next((view for view in active if person.contact_id in (None, view.row["contact_id"])), None)
    if person.contact_id is None:
        now = to_millis(ctx.clock())
        return Standing(
            contact_id=None,
            name="",
            held=person.held,
            words=person.words or _asked(views),
            link=link,
            closed=() if person.held else active,
            asked={view.row["contact_id"]: view.row["state"] for view in views if _is_resting(view, now)},
            rests_until=_rests_until(views, now),
        )
    ids = people.same_person(connection, person.contact_id)
    counts = timeline.channel_counts(connection, ids, permitted_profiles(ctx, connection, person.contact_id))
    return Standing(person.contact_id, person.name, False, "", link, counts)


def permitted_profiles(ctx: Context, connection: Connection, contact_id: str) -> list[str]:
    """The accounts whose history may be shown on this contact, right now."""
    ids = people.same_person(connection, contact_id)
    linked = {view.row["profile_id"] for view in people.links_of(connection, contact_ids=ids)}
    answers = permits(connection, ctx.consent, linked, VIEW, ctx.clock()) if linked else {}
    return sorted(
        profile_id for profile_id, answer in answers.items() if isinstance(answer, Permit) and answer.contact_id in ids
    )


def living_contact(connection: Connection, contact_id: str) -> RowMapping | None:
    """The contact, or the one that the CRM merged it into; None where there is neither."""
    seen: set[str] = set()
    found = people.contact(connection, contact_id)
    while found is not None and found["is_deleted"] and found["master_id"] and found["master_id"] not in seen:
        seen.add(found["master_id"])
        found = people.contact(connection, found["master_id"])
    return found


def _person(answer: Permit | Denied, found: Mapping[str, RowMapping]) -> Person:
    if isinstance(answer, Permit):
        row = found.get(answer.contact_id)
        return Person(answer.contact_id, person_name(row["first_name"], row["last_name"]) if row else "a contact")
    if answer.reason is DenyReason.HOLD:
        first = (answer.detail or "").split(", ", maxsplit=1)[0]
        return Person(held=True, words=hold_words(first)[0])
    return Person(words=DENIED_WORDS[answer.reason])


def _is_resting(view: LinkView, now: int) -> bool:
    until = view.row["cool_until_at"]
    return view.row["state"] == LinkState.ASKED or (until is not None and until > now)


def _rests_until(views: Collection[LinkView], now: int) -> int | None:
    ended = (
        view.row["cool_until_at"] for view in views if view.row["state"] not in (LinkState.ASKED, LinkState.ACTIVE)
    )
    return max((until for until in ended if until is not None and until > now), default=None)


def _asked(views: Sequence[LinkView]) -> str:
    states = [view.row["state"] for view in views]
    if LinkState.ASKED in states:
        return "Asked; no answer yet."
    return "The customer said not now." if states[:1] == [LinkState.DEFERRED] else ""

"""Shows links to people: what stands, since when, on what it rests; and what to read out when asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from connector.domain.channels import Channel
from connector.domain.consent import Actor, ActorKind, Grant, GrantState, LinkRecord, LinkState
from connector.errors import Forbidden, InputInvalid, Misconfigured
from connector.flows.consent.acts import change_of, known_link, moment_of
from connector.flows.consent.verifying import DISCLOSED, committed
from connector.flows.consent.words import LinkChange
from connector.flows.context import Context
from connector.store import ledger, vault
from connector.store.consent import links_of_contact, links_of_pair, links_of_profile
from connector.store.ledger import NewEntry
from connector.store.vault import Opened

_KINDS = {Channel.PHONE: "phone", Channel.CHAT: "chat", Channel.SELF_SERVICE: "chat", Channel.EMAIL: "email"}


@dataclass(frozen=True, slots=True)
class PurposeView:
    """Where one purpose stands: granted, or why not, until when, and under which wording."""

    purpose: str
    state: GrantState
    since_at: datetime
    expires_at: datetime | None
    notice_id: str | None
    notice_version: str | None
    label: str


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as a page shows it: its state, its proofs, its purposes, and all that ever happened to it."""

    record: LinkRecord
    purposes: tuple[PurposeView, ...]
    last_notice: tuple[str, str] | None
    timeline: tuple[LinkChange, ...] = field(default=())

    @property
    def in_force(self) -> bool:
        """Whether it is active and does not rest; the gate still asks for purpose, proof and time."""
        return self.record.state is LinkState.ACTIVE and not self.record.holds


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of evidence, readable, and whether it is what the ledger committed to when it was taken down."""

    piece: Opened
    is_genuine: bool


@dataclass(frozen=True, slots=True)
class Script:
    """What to say or paste when asking: the very words that must be recorded with the answer."""

    notice_id: str
    version: str
    lang: str
    text: str
    purposes: tuple[str, ...]
    labels: dict[str, str]


def show(ctx: Context, *, profile_id: str | None = None, contact_id: str | None = None) -> tuple[LinkView, ...]:
    """The links of an account, of a contact, or of the pair, newest first; those in force before all others."""
    with ctx.store.read() as connection:
        if profile_id is not None and contact_id is not None:
            found = links_of_pair(connection, profile_id, contact_id)
        elif profile_id is not None:
            found = links_of_profile(connection, profile_id)
        elif contact_id is not None:
            found = links_of_contact(connection, contact_id)
        else:
            raise InputInvalid("Name an account or a contact.")
        entries = ledger.entries_of_links(connection, [each.id for each in found])
    now = moment_of(ctx)
    shown = [each for each in found if each.is_live] + [each for each in reversed(found) if not each.is_live]
    return tuple(
        LinkView(
            record=each,
            purposes=tuple(_purpose(ctx, grant, now) for _, grant in sorted(each.grants.items())),
            last_notice=_last_notice(entries, each.id),
            timeline=tuple(change_of(entry) for entry in entries if entry.link_id == each.id),
        )
        for each in shown
    )


def ask_script(ctx: Context, channel: Channel, lang: str, network: str = "", *, more: bool = False) -> Script:
    """The wording for asking on this channel and network, in this language or else in English.

    ``more`` gives the one that asks for every purpose. Raises Misconfigured while no company name is set.
    """
    if not ctx.company:
        raise Misconfigured("CONNECTOR_COMPANY is not set: the customer must be told who asks.")
    kind = "more" if more else _KINDS.get(channel, "x_dm" if network == "x" else "dm")
    notice_id = ctx.consent.used_for[kind]
    notice = ctx.consent.current(notice_id, lang, moment_of(ctx))
    if notice is None:
        raise Misconfigured(f"No version of notices/{notice_id}.yml is in force yet: correct its valid_from.")
    purposes = {name: ctx.consent.purposes[name] for name in ctx.consent.purposes if name in notice.purposes}
    labels = {name: each.labels.get(notice.lang, each.labels["en"]) for name, each in purposes.items()}
    return Script(notice.id, notice.version, notice.lang, notice.rendered(ctx.company), tuple(purposes), labels)


def disclose_evidence(ctx: Context, link_id: str, actor: Actor) -> list[Shown]:
    """The link's evidence, readable; that it was looked at is an entry of the ledger. For privacy officers.

    Raises Forbidden for anybody else, NotFound for a link that does not exist, Misconfigured where the secret key is
    not the one that the evidence was kept under.
    """
    if actor.kind is not ActorKind.PRIVACY:
        raise Forbidden("Only a privacy officer opens evidence.")
    with ctx.store.begin() as uow:
        ledger.take_turn(uow)
        link = known_link(uow, link_id)
        opened = vault.open_evidence(uow.connection, ctx.secret_key, link_id)
        told = {each for entry in ledger.entries_of_links(uow.connection, [link_id]) for each in committed(entry)}
        shown = [Shown(each, each.commitment in told) for each in opened]
        facts = {
            "actor": {"t": actor.kind.value, "ref": actor.ref},
            "state": link.state.value,
            "evidence": [{"id": each.evidence_id, "com": each.commitment.digest} for each in opened],
        }
        ledger.append(uow, NewEntry(DISCLOSED, link_id, facts=facts), moment_of(ctx))
    return shown


def _purpose(ctx: Context, grant: Grant, now: datetime) -> PurposeView:
    """As the gate would see it now, also where the clock's own round is still to come."""
    state = grant.state
    if grant.is_granted and grant.expires_at is not None and grant.expires_at <= now:
        state = GrantState.EXPIRED
    elif grant.is_granted and ctx.consent.is_stale(grant.purpose, grant.notice_id, grant.notice_version, now):
        state = GrantState.STALE
    known = ctx.consent.purposes.get(grant.purpose)
    return PurposeView(
        purpose=grant.purpose,
        state=state,
        since_at=grant.granted_at or grant.decided_at,
        expires_at=grant.expires_at,
        notice_id=grant.notice_id,
        notice_version=grant.notice_version,
        label=known.labels["en"] if known is not None else grant.purpose,
    )


def _last_notice(entries: list[ledger.Entry], link_id: str) -> tuple[str, str] | None:
    for entry in reversed(entries):
        notice = entry.facts.get("notice")
        if entry.link_id == link_id and notice is not None:
            return notice["id"], notice["v"]
    return None

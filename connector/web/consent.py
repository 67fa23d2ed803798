"""The agent's question and its answer, and undoing: forms that only ever record what the customer said."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Connection, RowMapping
from werkzeug.wrappers import Response

from connector.domain.channels import Channel
from connector.domain.consent import Answer, Evidence, LinkState, Method, Notice
from connector.domain.handles import host_of, read_handle
from connector.domain.people import Role
from connector.domain.profiles import handle_key
from connector.errors import (
    Conflict,
    ConnectorError,
    HandleInvalid,
    IdempotencyConflict,
    InputInvalid,
    NotFound,
    Refused,
)
from connector.flows.consent.ending import invalidate, withdraw
from connector.flows.consent.preview import Preview, Standstill, preview
from connector.flows.consent.record import record as record_consent
from connector.flows.consent.words import RecordConsent, WithdrawConsent
from connector.flows.context import Context
from connector.queries import people
from connector.queries.people import LinkView
from connector.web.actors import actor_of
from connector.web.agent import back_to
from connector.web.auth import context, principal
from connector.web.errors import status_of
from connector.web.present import person_name

blueprint = Blueprint("consent", __name__)

WAYS = {
    Method.AGENT_PHONE: ("On the phone", "phone"),
    Method.AGENT_CHAT: ("In chat", "chat"),
    Method.AGENT_EMAIL: ("By e-mail", "email"),
    Method.AGENT_STORE: ("In the store", "phone"),
    Method.AGENT_SOCIAL: ("In this conversation", "dm"),
}
"""How an agent may have asked, and which wording is used for it."""

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "ja": "日本語"}


STANDSTILL = {
    Standstill.ALREADY: "It is shown there already: a yes prolongs the consent, and nothing else moves.",
    Standstill.COOLING_OFF: "The customer said no or not now. An answer is refused until",
    Standstill.AMBIGUOUS: "It is linked with another contact. After a second yes it is shown on neither, and the CRM "
    "loses the contact that it names now; unlink the wrong one first.",
    Standstill.HOLD: "The link is on hold. A yes is recorded, but nothing moves before the hold is released.",
    Standstill.NOT_ENOUGH: "The yes is recorded, but nothing moves: what this wording asks for does not cover showing "
    "the history, or an agent's word is not proof enough for it.",
}
"""Why a yes would move nothing, in an agent's words; a day follows where there is one."""

UNENDED = (LinkState.ASKED, LinkState.DEFERRED, LinkState.ACTIVE)
"""Links that there is something to undo of."""

HAVE_ACCOUNTS = (Channel.SOCIAL, Channel.MESSAGING, Channel.COMMUNITY, Channel.REVIEW)
"""Where a person has an account of her own to be asked about."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it stands on the page: about whom, asked how, in which words."""

    profile: Mapping[Any, Any]
    """The account; without an id where nothing came from it yet and its handle was only spoken of."""
    contact: RowMapping
    method: Method
    notice: Notice
    wording: str
    languages: tuple[tuple[str, str], ...]
    further: bool

    def address(self, **more: str | None) -> str:
        """This page's own address, with more in its query."""
        if self.profile["id"]:
            named: dict[str, Any] = {"contact": self.contact["crm_id"], **more}
            return url_for("consent.ask", profile_id=self.profile["id"], **named)
        named = {"network": self.profile["network"], "handle": self.profile["handle"], **more}
        return url_for("consent.ask_contact", crm_id=self.contact["crm_id"], **named)


@blueprint.get("/profiles/<profile_id>/ask")
def ask(profile_id: str) -> str:
    """The wording to say or paste, and the form for the answer."""
    ctx = context()
    with ctx.store.read() as connection:
        question = _question_of(ctx, connection, profile_id)
    return _form(question)


@blueprint.post("/profiles/<profile_id>/ask")
def record(profile_id: str) -> Response | tuple[str, int]:
    """Records the answer; nothing else on any page links an account."""
    ctx = context()
    with ctx.store.read() as connection:
        question = _question_of(ctx, connection, profile_id)
    return _record(question, lambda done: back_to(request.form.get("case"), profile_id, done))


@blueprint.get("/contacts/<crm_id>/ask")
def ask_contact(crm_id: str) -> str | Response:
    """On a call: which account is it? A handle or a pasted profile address leads to the wording."""
    ctx = context()
    with ctx.store.read() as connection:
        contact = _contact(connection, crm_id)
        try:
            found = _spoken_of(ctx, connection)
        except Refused as error:
            return _account_form(contact, problem=error.message)
        if found is None:
            return _account_form(contact)
        if found["id"]:
            kept: dict[str, Any] = {name: request.args.get(name) or None for name in ("method", "lang", "more")}
            return redirect(url_for("consent.ask", profile_id=found["id"], contact=crm_id, **kept))
        question = _question(ctx, found, contact)
    return _form(question)


@blueprint.post("/contacts/<crm_id>/ask")
def record_contact(crm_id: str) -> Response | tuple[str, int]:
    """Records the answer about an account that nothing came from yet; it is bound when its first message comes."""
    ctx = context()
    with ctx.store.read() as connection:
        contact, found = _contact(connection, crm_id), _spoken_of(ctx, connection)
    if found is None:
        raise HandleInvalid
    question = _question(ctx, found, contact)
    return _record(question, lambda done: url_for("people.contact", crm_id=crm_id, done=done))


@blueprint.get("/links/<link_id>/end")
def end(link_id: str) -> str:
    """What unlinking does, before it is done."""
    with context().store.read() as connection:
        return _end_form(connection, link_id)


@blueprint.post("/links/<link_id>/end")
def end_submit(link_id: str) -> Response | tuple[str, int]:
    """Unlinks: for the customer, or because it was never them."""
    ctx = context()
    try:
        _end(ctx, link_id)
    except Refused as error:
        with ctx.store.read() as connection:
            return _end_form(connection, link_id, error), status_of(error)
    with ctx.store.read() as connection:
        view = _link(connection, link_id)
    # One agent's "never this person" only holds the link: then it is still there, and nobody may read "Unlinked".
    return redirect(_end_back(view, "doubted" if view.row["state"] == LinkState.ACTIVE else "ended"))


def _end(ctx: Context, link_id: str) -> None:
    words = request.form.get("words", "").strip()
    if request.form.get("why") == "not_me":
        invalidate(ctx, link_id, actor_of(principal()), words)
    elif request.form.get("why") == "withdrawn":
        withdraw(ctx, WithdrawConsent(actor_of(principal()), link_id=link_id, words=words or None))
    else:
        raise InputInvalid("Choose why it ends.")


def _end_back(view: LinkView, done: str | None = None) -> str:
    """Where the agent came from: the case, the person, or else the account."""
    case_id, contact_id = request.values.get("case") or None, request.values.get("contact") or None
    if contact_id and not case_id:
        return url_for("people.contact", crm_id=contact_id, done=done)
    return back_to(case_id, view.row["profile_id"], done)


def _question_of(ctx: Context, connection: Connection, profile_id: str) -> Question:
    profile = people.profile(connection, profile_id)
    contact = people.contact(connection, request.values.get("contact", ""))
    if profile is None or contact is None:
        raise NotFound("The account or the contact is gone; search for the person again.")
    return _question(ctx, profile, contact)


def _question(ctx: Context, profile: Mapping[Any, Any], contact: RowMapping) -> Question:
    values = request.values
    method = next((each for each in WAYS if each.value == values.get("method")), Method.AGENT_PHONE)
    further = bool(values.get("more"))
    place = "more" if further else WAYS[method][1]
    if place == "dm" and profile["network"] == "x":
        place = "x_dm"
    notice_id = ctx.consent.used_for[place]
    notice = ctx.consent.current(notice_id, values.get("lang", "en"), ctx.clock())
    if notice is None:
        raise NotFound(f"No wording of {notice_id} is valid today; an admin must correct the notices.")
    spoken = {each.lang for each in ctx.consent.notices if each.id == notice_id}
    languages = tuple(
        (lang, LANGUAGES.get(lang, lang)) for lang in sorted(spoken, key=lambda lang: (lang != "en", lang))
    )
    return Question(profile, contact, method, notice, notice.rendered(ctx.company), languages, further)


def _contact(connection: Connection, crm_id: str) -> RowMapping:
    contact = people.contact(connection, crm_id)
    if contact is None or contact["is_deleted"]:
        raise NotFound("The contact is gone; search for the person again.")
    return contact


def _spoken_of(ctx: Context, connection: Connection) -> Mapping[Any, Any] | None:
    """The account that the form names: the one that wrote to us, else only its handle; None before anything is typed.

    A pasted address names its own network. Raises HandleInvalid, or Conflict where several accounts have the handle.
    """
    typed = request.values.get("handle", "").strip()
    if not typed:
        return None
    network = ctx.channels.canonical_network(host_of(typed) or "") or request.values.get("network", "")
    handle = read_handle(network, typed) if network in ctx.channels.networks else None
    if handle is None:
        raise HandleInvalid
    known = people.with_handle(connection, network, handle_key(network, handle))
    if len(known) > 1:
        raise Conflict("Several accounts have this handle; open the case of the one that wrote, and ask there.")
    if known:
        return known[0]
    return {"id": None, "network": network, "handle": handle, "display_name": None, "external_id": None}


def _account_form(contact: RowMapping, problem: str | None = None) -> str:
    networks = context().channels.networks
    own = [(name, each.title) for name, each in networks.items() if each.channel in HAVE_ACCOUNTS]
    return render_template(
        "ask_account.html",
        section="people",
        contact=contact,
        name=person_name(contact["first_name"], contact["last_name"]),
        networks=sorted(own, key=lambda each: each[1].casefold()),
        network=request.args.get("network", "x"),
        handle=request.args.get("handle", ""),
        problem=problem,
    )


def _form(question: Question, problem: ConnectorError | None = None) -> str:
    ctx = context()
    purposes = ctx.consent.purposes
    key = None if isinstance(problem, IdempotencyConflict) else request.form.get("key")
    return render_template(
        "ask.html",
        foretold=_foretold(ctx, question),
        standstill=STANDSTILL,
        has_crm=ctx.crm is not None,
        section="inbox" if request.values.get("case") else "people",
        question=question,
        name=person_name(question.contact["first_name"], question.contact["last_name"]),
        ways=[(method.value, words) for method, (words, _) in WAYS.items()],
        labels={
            name: purposes[name].labels.get(question.notice.lang, purposes[name].labels["en"]) for name in purposes
        },
        purposes=[name for name in purposes if name in question.notice.purposes],
        length=len(question.wording),
        problem=problem.message if problem else None,
        chosen=request.form,
        said=request.form.get("said", ""),
        reference=request.form.get("reference", ""),
        case_id=request.values.get("case") or None,
        key=key or secrets.token_urlsafe(16),
    )


def _foretold(ctx: Context, question: Question) -> Preview:
    """What a yes to everything that the wording asks would move."""
    account = question.profile
    spoken = {} if account["id"] else {"network": account["network"], "handle": account["handle"]}
    asked = question.notice.purposes
    return preview(ctx, question.contact["crm_id"], profile_id=account["id"], purposes=asked, **spoken)


def _record(question: Question, back: Callable[[str], str]) -> Response | tuple[str, int]:
    try:
        answers = _answers(question)
        record_consent(context(), _command(question, answers))
    except Refused as error:
        return _form(question, error), status_of(error)
    done = next(iter(answers.values())) if len(answers) == 1 else answers.get("service", Answer.NOT_NOW)
    return redirect(back(done.value))


def _answers(question: Question) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for purpose in sorted(question.notice.purposes):
        value = request.form.get(f"answer.{purpose}")
        if value in tuple(Answer):
            found[purpose] = Answer(value)
    if not found:
        raise InputInvalid("The answer is missing: choose Yes, No or Not now.")
    return found


def _command(question: Question, answers: dict[str, Answer]) -> RecordConsent:
    form = request.form
    return RecordConsent(
        contact_id=question.contact["crm_id"],
        method=question.method,
        notice_id=question.notice.id,
        notice_version=form.get("version", ""),
        lang=question.notice.lang,
        answers=answers,
        evidence=Evidence(
            wording=question.wording,
            customer_words=form.get("said", "").strip(),
            reference=form.get("reference", "").strip() or None,
        ),
        actor=actor_of(principal()),
        profile_id=question.profile["id"],
        network=None if question.profile["id"] else question.profile["network"],
        handle=None if question.profile["id"] else question.profile["handle"],
        key=form.get("key") or None,
    )


def _link(connection: Connection, link_id: str) -> LinkView:
    view = people.link(connection, link_id)
    if view is None:
        raise NotFound("There is no link of this id.")
    return view


def _end_form(connection: Connection, link_id: str, problem: ConnectorError | None = None) -> str:
    view = _link(connection, link_id)
    contact = people.contact(connection, view.row["contact_id"])
    return render_template(
        "end_link.html",
        section="people",
        view=view,
        name=person_name(contact["first_name"], contact["last_name"]) if contact else "a contact that is gone",
        reach=people.reach(connection, view.row["profile_id"]),
        is_over=view.row["state"] not in UNENDED,
        alone=principal().role is Role.PRIVACY,
        problem=problem.message if problem else None,
        why=request.form.get("why", ""),
        words=request.form.get("words", ""),
        back=_end_back(view),
        case_id=request.values.get("case") or None,
        contact_id=request.values.get("contact") or None,
    )

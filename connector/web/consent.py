"""The agent's question and its answer, and undoing: forms that only ever record what the customer said."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Connection, RowMapping
from werkzeug.wrappers import Response

from connector.domain.consent import Answer, Evidence, Method, Notice
from connector.errors import ConnectorError, InputInvalid, NotFound, Refused
from connector.flows.consent.ending import invalidate, withdraw
from connector.flows.consent.record import record as record_consent
from connector.flows.consent.words import RecordConsent, WithdrawConsent
from connector.flows.context import Context
from connector.queries import people
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


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it stands on the page: about whom, asked how, in which words."""

    profile: RowMapping
    contact: RowMapping
    method: Method
    notice: Notice
    wording: str
    languages: tuple[tuple[str, str], ...]
    further: bool


@blueprint.get("/profiles/<profile_id>/ask")
def ask(profile_id: str) -> str:
    """The wording to say or paste, and the form for the answer."""
    ctx = context()
    with ctx.store.read() as connection:
        return _form(_question(ctx, connection, profile_id))


@blueprint.post("/profiles/<profile_id>/ask")
def record(profile_id: str) -> Response | tuple[str, int]:
    """Records the answer; nothing else on any page links an account."""
    ctx = context()
    with ctx.store.read() as connection:
        question = _question(ctx, connection, profile_id)
    try:
        answers = _answers(question)
        record_consent(ctx, _command(question, answers))
    except Refused as error:
        return _form(question, error), status_of(error)
    done = next(iter(answers.values())) if len(answers) == 1 else answers.get("service", Answer.NOT_NOW)
    return redirect(back_to(request.form.get("case"), profile_id, done.value))


@blueprint.get("/links/<link_id>/end")
def end(link_id: str) -> str:
    """What unlinking does, before it is done."""
    with context().store.read() as connection:
        return _end_form(connection, link_id)


@blueprint.post("/links/<link_id>/end")
def end_submit(link_id: str) -> Response | tuple[str, int]:
    """Unlinks: for the customer, or because it was never them."""
    ctx = context()
    words = request.form.get("words", "").strip()
    try:
        if request.form.get("why") == "not_me":
            invalidate(ctx, link_id, actor_of(principal()), words)
        elif request.form.get("why") == "withdrawn":
            withdraw(ctx, WithdrawConsent(actor_of(principal()), link_id=link_id, words=words or None))
        else:
            raise InputInvalid("Choose why it ends.")
    except Refused as error:
        with ctx.store.read() as connection:
            return _end_form(connection, link_id, error), status_of(error)
    case_id, contact_id = request.form.get("case"), request.form.get("contact")
    if case_id:
        return redirect(url_for("agent.case", case_id=case_id, done="ended"))
    return redirect(url_for("people.contact", crm_id=contact_id, done="ended") if contact_id else url_for("agent.home"))


def _question(ctx: Context, connection: Connection, profile_id: str) -> Question:
    values = request.values
    profile = people.profile(connection, profile_id)
    contact = people.contact(connection, values.get("contact", ""))
    if profile is None or contact is None:
        raise NotFound("The account or the contact is gone; search for the person again.")
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


def _form(question: Question, problem: ConnectorError | None = None) -> str:
    purposes = context().consent.purposes
    return render_template(
        "ask.html",
        section="inbox",
        question=question,
        name=person_name(question.contact["first_name"], question.contact["last_name"]),
        ways=[(method.value, words) for method, (words, _) in WAYS.items()],
        labels={
            name: purposes[name].labels.get(question.notice.lang, purposes[name].labels["en"]) for name in purposes
        },
        purposes=[name for name in purposes if name in question.notice.purposes],
        length=len(question.wording),
        problem=problem.message if problem else None,
        said=request.form.get("said", ""),
        reference=request.form.get("reference", ""),
        case_id=request.values.get("case") or None,
        key=request.form.get("key") or secrets.token_urlsafe(16),
    )


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
        key=form.get("key") or None,
    )


def _end_form(connection: Connection, link_id: str, problem: ConnectorError | None = None) -> str:
    view = people.link(connection, link_id)
    if view is None:
        raise NotFound("There is no link of this id.")
    contact = people.contact(connection, view.row["contact_id"])
    return render_template(
        "end_link.html",
        section="people",
        view=view,
        name=person_name(contact["first_name"], contact["last_name"]) if contact else "a contact that is gone",
        reach=people.reach(connection, view.row["profile_id"]),
        problem=problem.message if problem else None,
        words=request.form.get("words", ""),
        case_id=request.values.get("case") or None,
        contact_id=request.values.get("contact") or None,
    )

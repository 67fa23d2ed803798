"""``connector consent`` and ``connector ledger``: record, withdraw and look, for scripts and for support."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from connector.commands.console import FOUND_PROBLEMS, WRONG_INPUT, fail, print_json, print_table, speaks_plainly
from connector.commands.place import here
from connector.domain.channels import Channel
from connector.domain.consent import AGENT_METHODS, Actor, ActorKind, Answer, Evidence, Method
from connector.domain.events import format_time, from_millis
from connector.flows.consent import (
    Preview,
    Receipt,
    RecordConsent,
    WithdrawConsent,
    ask_script,
    disclose_evidence,
    preview,
    record,
    show,
    withdraw,
)
from connector.flows.consent import verify as verify_consent
from connector.store.reach import Share

ANSWERS = ", ".join(Answer)


@click.group()
def consent() -> None:
    """What customers agreed to: record it, undo it, look at it."""


@consent.command("wording")
@click.option("--channel", type=click.Choice([each.value for each in Channel]), default="phone", show_default=True)
@click.option("--network", default="", help="The network, where its own wording is wanted, such as x.")
@click.option("--lang", default="en", show_default=True)
@click.option("--more", is_flag=True, help="The wording that asks for every purpose.")
@speaks_plainly
def wording(channel: str, network: str, lang: str, more: bool) -> None:
    """Print what to read out or paste when asking: it must be recorded word for word."""
    with here() as ctx:
        known = ctx.channels.canonical_network(network) if network else ""
        if known is None:
            fail(f"The network {network} is not in channels.yml: use its name there, or add it.", WRONG_INPUT)
        script = ask_script(ctx, Channel(channel), lang, known, more=more)
    click.echo(script.text)
    click.echo(
        f"notice {script.notice_id} {script.version} {script.lang}; asks for {', '.join(script.purposes)}", err=True
    )


@consent.command("record")
@click.option("--profile", help="The profile's id; or give --network and --handle.")
@click.option("--network", help="The network of a handle that nothing came from yet.")
@click.option("--handle", help="The handle, or the address of the profile.")
@click.option("--contact", required=True, help="The contact's Salesforce Id.")
@click.option(
    "--method",
    type=click.Choice([each.value for each in sorted(AGENT_METHODS)]),
    required=True,
    help="How the agent heard the answer.",
)
@click.option("--notice", nargs=3, metavar="ID VERSION LANG", required=True, help="The wording that was shown.")
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="PURPOSE=ANSWER",
    required=True,
    help=f"Such as service=yes; {ANSWERS}.",
)
@click.option("--wording", "wording_text", required=True, help="The text as it was shown or read aloud.")
@click.option("--words", required=True, help="What the customer said.")
@click.option("--reference", help="The call, chat or message it was said in.")
@click.option("--at", "said_at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When, with its zone.")
@click.option("--by", required=True, help="The agent who asked (an id, not a name).")
@click.option("--key", help="An idempotency key: the same key writes once, for ever.")
@speaks_plainly
def record_answer(
    profile: str | None, network: str | None, handle: str | None, contact: str, method: str,
    notice: tuple[str, str, str], answers: tuple[str, ...], wording_text: str, words: str, reference: str | None,
    said_at: datetime | None, by: str, key: str | None,
) -> None:  # fmt: skip
    """Record what a customer answered; the entry of the ledger is printed."""
    command = RecordConsent(
        contact_id=contact,
        method=Method(method),
        notice_id=notice[0],
        notice_version=notice[1],
        lang=notice[2],
        answers=dict(_answer(each) for each in answers),
        evidence=Evidence(wording_text, words, reference, said_at),
        actor=Actor(ActorKind.AGENT, by),
        profile_id=profile,
        network=network,
        handle=handle,
        key=key,
    )
    with here() as ctx:
        receipt = record(ctx, command)
    _print(receipt)


@consent.command("preview")
@click.option("--profile", help="The profile's id; or give --network and --handle.")
@click.option("--network", help="The network of a handle.")
@click.option("--handle", help="The handle, or the address of the profile.")
@click.option("--contact", required=True, help="The contact's Salesforce Id.")
@click.option("--purpose", "purposes", multiple=True, help="Only a yes to these purposes; otherwise to all.")
@speaks_plainly
def preview_yes(
    profile: str | None, network: str | None, handle: str | None, contact: str, purposes: tuple[str, ...]
) -> None:
    """Tell what a yes would move, here and in the CRM, as one JSON document; writes nothing."""
    with here() as ctx:
        found = preview(
            ctx, contact, profile_id=profile, network=network, handle=handle, purposes=list(purposes) or None
        )
    shares = [asdict(each) | _times(each) for each in found.shares]
    totals = {"cases": found.cases, "interactions": found.interactions, **_times(found)}
    print_json(asdict(found) | {"shares": shares} | totals)


@consent.command("withdraw")
@click.option("--link", help="One link.")
@click.option("--profile", help="Everything of an account.")
@click.option("--contact", help="Everything of a contact.")
@click.option("--purpose", "purposes", multiple=True, help="Only these purposes; otherwise all.")
@click.option("--words", help="What the customer said, if anything.")
@click.option("--by", required=True, help="The agent (an id, not a name), or `customer`.")
@speaks_plainly
def withdraw_consent(
    link: str | None, profile: str | None, contact: str | None, purposes: tuple[str, ...], words: str | None, by: str
) -> None:
    """Undo: never refused, and asks for no more than giving did. Past and future cases are detached."""
    actor = Actor(ActorKind.CUSTOMER, "customer") if by == "customer" else Actor(ActorKind.AGENT, by)
    command = WithdrawConsent(
        actor=actor,
        link_id=link,
        profile_id=profile,
        contact_id=contact,
        purposes=frozenset(purposes) or None,
        words=words,
    )
    with here() as ctx:
        receipt = withdraw(ctx, command)
    _print(receipt)


@consent.command("show")
@click.option("--profile", help="The links of an account.")
@click.option("--contact", help="The links of a contact.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def show_links(profile: str | None, contact: str | None, as_json: bool) -> None:
    """Show links, what they permit, and until when."""
    if bool(profile) == bool(contact):
        fail("Name an account (--profile) or a contact (--contact), one of the two.", WRONG_INPUT)
    with here() as ctx:
        views = show(ctx, profile_id=profile, contact_id=contact)
    if as_json:
        print_json([asdict(each) for each in views])
        return
    rows = [
        (
            each.record.id,
            each.record.contact_id,
            each.record.state,
            f"H{each.record.assurance.h}/C{each.record.assurance.c}",
            ", ".join(f"{one.purpose} {one.state}" + (f" until {one.expires_at:%Y-%m-%d}" if one.expires_at else "")
                      for one in each.purposes),
        )
        for each in views
    ]  # fmt: skip
    print_table(("link", "contact", "state", "proof", "purposes"), rows, empty="No link was ever asked for.")


@consent.command("evidence")
@click.option("--link", required=True, help="The link, as `connector consent show` names it.")
@click.option("--by", required=True, help="The privacy officer who looks (an id, not a name).")
@speaks_plainly
def show_evidence(link: str, by: str) -> None:
    """Open what shows an answer: the wording, the words, who and when, as one JSON document.

    That it was looked at becomes an entry of the ledger. `is_genuine` tells whether the piece is what was taken down.
    """
    with here() as ctx:
        shown = disclose_evidence(ctx, link, Actor(ActorKind.PRIVACY, by))
    print_json([asdict(each.piece) | {"is_genuine": each.is_genuine} for each in shown])


@click.group()
def ledger() -> None:
    """The append-only record of every consent event."""


@ledger.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def verify(as_json: bool) -> None:
    """Recompute the whole chain, and hold the grants and the evidence against it.

    The first entry that is not as it was written, or that one of them contradicts, is named, and the exit code is 1.
    """
    with here() as ctx:
        check = verify_consent(ctx)
    if as_json:
        print_json(asdict(check))
    elif check.ok:
        click.echo(f"{check.size} entries, unbroken; head {check.head}.")
    if not check.ok:
        fail(f"Entry {check.first_bad_seq}: {check.problem}", FOUND_PROBLEMS)


def _times(span: Preview | Share) -> dict[str, str | None]:
    moments = {"first_at": span.first_at, "last_at": span.last_at}
    return {name: None if at is None else format_time(from_millis(at)) for name, at in moments.items()}


def _answer(text: str) -> tuple[str, Answer]:
    purpose, _, answer = text.partition("=")
    if not purpose or answer not in set(Answer):
        fail(f"--answer {text} is not PURPOSE=ANSWER with one of: {ANSWERS}.", WRONG_INPUT)
    return purpose, Answer(answer)


def _print(receipt: Receipt) -> None:
    changes: list[dict[str, Any]] = [asdict(each) for each in receipt.changes]
    print_json(changes)
    if not changes:
        click.echo("Nothing to change.", err=True)

"""``connector deliveries`` and ``connector outbox``: what got stuck, why, and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import click

from connector.commands.console import WRONG_INPUT, fail, print_json, print_table, speaks_plainly
from connector.commands.place import here
from connector.flows import operate, shelves
from connector.flows.context import Context
from connector.store import outbox_shelf

FROM_TERMINAL = "command line"
PAGE = 1000
ROW = click.IntRange(1, 2**63 - 1)
"""A row's number: what both databases can hold."""


@click.group()
def deliveries() -> None:
    """What came in and could not be worked on: items on the shelf, and dead deliveries."""


@deliveries.command("list")
@click.option("--source", help="Only this source's.")
@click.option("--reason", help="Only items with this reason code.")
@click.option("--state", type=click.Choice(["open", "replayed", "dropped"]), default="open", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def list_deliveries(source: str | None, reason: str | None, state: str, as_json: bool) -> None:
    """List shelved items, and deliveries that could not be worked on at all."""
    with here() as ctx:
        items = shelves.list_items(ctx, source=source, reason=reason, state=state, limit=PAGE)
        dead = shelves.list_dead(ctx, limit=PAGE) if state == "open" and reason is None else []
    dead = [each for each in dead if source in (None, each.source)]
    if as_json:
        print_json({"items": [asdict(each) for each in items], "dead": [asdict(each) for each in dead]})
        return
    print_table(
        ("item", "source", "where", "reason", "what", "cure"),
        [(each.id, each.source, each.item_path, each.reason, each.detail, each.cure) for each in items],
        empty="Nothing is on the shelf.",
    )
    if dead:
        rows = [(each.id, each.source, each.received_at, each.attempts, each.error) for each in dead]
        print_table(("dead delivery", "source", "received", "attempts", "error"), rows, empty="")


@deliveries.command("show")
@click.argument("number", type=ROW)
@click.option("--delivery", "is_delivery", is_flag=True, help="The number is a delivery's, not a shelf item's.")
@speaks_plainly
def show_delivery(number: int, is_delivery: bool) -> None:
    """Show one shelf item with the body it came in (it may hold personal data)."""
    with here() as ctx:
        if is_delivery:
            item, stored = None, shelves.show_delivery(ctx, number)
        else:
            item, stored = shelves.show_item(ctx, number)
    head = asdict(item) if item else {}
    delivery = {name: value for name, value in asdict(stored).items() if name != "body"}
    print_json({"item": head, "delivery": delivery} if head else {"delivery": delivery})
    if stored.body is None:
        click.echo("The body is no longer kept (30 days after it was settled).", err=True)
    else:
        click.echo(stored.body.decode("utf-8", "replace"))


@deliveries.command("retry")
@click.argument("numbers", nargs=-1, type=ROW)
@click.option("--all", "everything", is_flag=True, help="Every open item, or those of --source and --reason.")
@click.option("--source", help="With --all: only this source's.")
@click.option("--reason", help="With --all: only items with this reason code.")
@click.option("--delivery", "are_deliveries", is_flag=True, help="The numbers are deliveries'.")
@speaks_plainly
def retry_deliveries(
    numbers: tuple[int, ...], everything: bool, source: str | None, reason: str | None, are_deliveries: bool
) -> None:
    """Work on shelved items again, from the stored body: after a mapping was corrected."""
    _numbers_or_all(numbers, everything)
    if (source or reason) and not everything:
        fail("--source and --reason go with --all: numbers say which rows by themselves.", WRONG_INPUT)
    if are_deliveries and everything:
        fail("--all retries items: name dead deliveries by their numbers.", WRONG_INPUT)
    with here() as ctx:
        if everything:
            changed = shelves.retry_all(ctx, FROM_TERMINAL, source=source, reason=reason)
        elif are_deliveries:
            changed = operate.retry_deliveries(ctx, numbers, FROM_TERMINAL)
        else:
            changed = operate.retry_items(ctx, numbers, FROM_TERMINAL)
    _told(changed, "will be worked on again by the worker")


@deliveries.command("drop")
@click.argument("numbers", nargs=-1, type=ROW, required=True)
@click.option("--delivery", "are_deliveries", is_flag=True, help="The numbers are deliveries'.")
@speaks_plainly
def drop_deliveries(numbers: tuple[int, ...], are_deliveries: bool) -> None:
    """Set items aside for good; their reason stays readable."""
    with here() as ctx:
        act = operate.drop_deliveries if are_deliveries else operate.drop_items
        changed = act(ctx, numbers, FROM_TERMINAL)
    _told(changed, "set aside")


@click.group()
def outbox() -> None:
    """What must still reach the CRM, or was refused by it."""


@outbox.command("list")
@click.option("--state", type=click.Choice(["pending", "dead", "dropped", "sent"]), help="Only rows in this state.")
@click.option("--code", "error_code", help="Only rows with this error code of the CRM.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def list_outbox(state: str | None, error_code: str | None, limit: int, as_json: bool) -> None:
    """Count the outbox by state and reason; with --state or --code, list its rows."""
    with here() as ctx, ctx.store.read() as connection:
        if state is None and error_code is None:
            counted = outbox_shelf.counts(connection)
            if as_json:
                print_json([asdict(each) for each in counted])
                return
            cells = [(each.object, each.state, each.reason, each.number) for each in counted]
            print_table(("object", "state", "reason", "rows"), cells, empty="The outbox is empty.")
            return
        found = outbox_shelf.rows(connection, state=state, error_code=error_code, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = ("id", "object", "external_key", "state", "attempts", "error_code", "error")
    print_table(columns, [[row[name] for name in columns] for row in found], empty="No such rows.")


@outbox.command("show")
@click.argument("number", type=ROW)
@speaks_plainly
def show_outbox(number: int) -> None:
    """Show one outbox row; what it will send is built when it is sent, from the store and through the gate."""
    with here() as ctx, ctx.store.read() as connection:
        row = outbox_shelf.find(connection, number)
    if row is None:
        fail(f"There is no outbox row {number}: see `connector outbox list --state dead`.", WRONG_INPUT)
    print_json(row)


@outbox.command("retry")
@click.argument("numbers", nargs=-1, type=ROW)
@click.option("--code", "error_code", help="Every dead row with this error code of the CRM.")
@speaks_plainly
def retry_outbox(numbers: tuple[int, ...], error_code: str | None) -> None:
    """Send rows again: after the cause in the CRM was cured."""
    _numbers_or_all(numbers, error_code is not None)
    with here() as ctx:
        if error_code is not None:
            changed = operate.retry_outbox_group(ctx, error_code, FROM_TERMINAL)
        else:
            changed = operate.retry_outbox(ctx, numbers, FROM_TERMINAL)
    _told(changed, "will be sent again")


@outbox.command("drop")
@click.argument("numbers", nargs=-1, type=ROW, required=True)
@speaks_plainly
def drop_outbox(numbers: tuple[int, ...]) -> None:
    """Set rows aside; a later change of the same record queues it again."""
    _acted(operate.drop_outbox, numbers, "set aside")


def _acted(act: Callable[[Context, Sequence[int], str], int], numbers: Sequence[int], done: str) -> None:
    with here() as ctx:
        changed = act(ctx, numbers, FROM_TERMINAL)
    _told(changed, done)


def _numbers_or_all(numbers: Sequence[Any], everything: bool) -> None:
    if bool(numbers) == everything:
        fail("Name the rows by number, or all of a kind by the option; not both.", WRONG_INPUT)


def _told(changed: int, done: str) -> None:
    if not changed:
        fail("Nothing changed: no such rows, or they are not in a state for it.", 1)
    click.echo(f"{changed} {'row' if changed == 1 else 'rows'}: {done}.")

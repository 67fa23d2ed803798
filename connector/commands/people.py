"""``connector user`` and ``connector key``: who may sign in, and which programs may call the API."""

from __future__ import annotations

import sys

import click

from connector.commands.console import WRONG_INPUT, fail, print_json, print_table, speaks_plainly
from connector.commands.place import here
from connector.domain.people import USER_ROLES, Role
from connector.flows import people

FROM_TERMINAL = "command line"


@click.group()
def user() -> None:
    """People who sign in to the pages: agents, admins, reporters, privacy officers."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(sorted(each.value for each in USER_ROLES)), required=True)
@click.option("--crm-user", help="The Salesforce Id of this agent, so that answers count as theirs.")
@speaks_plainly
def add_user(name: str, role: str, crm_user: str | None) -> None:
    """Add a person; the password is asked for, or read from standard input."""
    password = _password()
    with here() as ctx:
        made = people.create_user(ctx, name, password, role, actor=FROM_TERMINAL, crm_user_id=crm_user)
    click.echo(f"{made.name} may sign in as {made.role}.")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def list_users(as_json: bool) -> None:
    """List the people who may sign in."""
    with here() as ctx:
        found = people.users(ctx)
    rows = [
        {"name": each.name, "role": each.role, "active": each.is_active, "since": each.created_at} for each in found
    ]
    if as_json:
        print_json(rows)
    else:
        cells = [(row["name"], row["role"], "yes" if row["active"] else "no", row["since"]) for row in rows]
        print_table(
            ("name", "role", "active", "since"), cells, empty="Nobody yet: `connector user add NAME --role admin`."
        )


@user.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(sorted(each.value for each in USER_ROLES)))
@click.option("--password", "new_password", is_flag=True, help="Ask for a new password; ends this person's sessions.")
@click.option("--active/--inactive", default=None, help="Whether the person may sign in.")
@speaks_plainly
def change_user(name: str, role: str | None, new_password: bool, active: bool | None) -> None:
    """Change a person's role or password, or end the account."""
    if role is None and active is None and not new_password:
        fail("Nothing to change: give --role, --password, --active or --inactive.", WRONG_INPUT)
    password = _password() if new_password else None
    with here() as ctx:
        found = people.user_named(ctx, name)
        people.change_user(ctx, found.id, role=role, password=password, is_active=active, actor=FROM_TERMINAL)
    click.echo(f"{name} is changed.")


@click.group()
def key() -> None:
    """API keys for programs, each with one role."""


@key.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([each.value for each in Role]), required=True)
@speaks_plainly
def add_key(name: str, role: str) -> None:
    """Make a key; its token is printed once, on standard output."""
    with here() as ctx:
        made, token = people.create_key(ctx, name, role, actor=FROM_TERMINAL)
    click.echo(f"Key {made.id} for {made.name} ({made.role}). The token is shown this once:", err=True)
    click.echo(token)


@key.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@speaks_plainly
def list_keys(as_json: bool) -> None:
    """List the keys, newest first; never their tokens."""
    with here() as ctx:
        found = people.keys(ctx)
    rows = [
        {
            "id": each.id,
            "name": each.name,
            "role": each.role,
            "ends_with": each.hint,
            "used_at": each.used_at,
            "revoked_at": each.revoked_at,
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ("id", "name", "role", "ends_with", "used_at", "revoked_at")
        print_table(
            columns, [tuple(row.values()) for row in rows], empty="No keys yet: `connector key add NAME --role agent`."
        )


@key.command("revoke")
@click.argument("key_id")
@speaks_plainly
def revoke_key(key_id: str) -> None:
    """End a key at once."""
    with here() as ctx:
        people.revoke_key(ctx, key_id, actor=FROM_TERMINAL)
    click.echo(f"{key_id} no longer works.")


def _password() -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
        return answer
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        fail("No password: type it when asked, or pipe it in.", WRONG_INPUT)
    return line

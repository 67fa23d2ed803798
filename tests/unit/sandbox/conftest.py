"""An org with the connector's package in it, and a caller who is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.crm.package import compose_zip
from sandbox.app import create_sandbox
from sandbox.database import quoted
from sandbox.deploy import deploy
from sandbox.org import Config, Org

NOON = 1_770_033_600_000
"""2 February 2026, 12:00 UTC, in epoch milliseconds."""

KEPT = {"Organization", "User", "Profile", "PermissionSet"}


@dataclass
class Clock:
    """A clock that a test moves by hand."""

    ms: int = NOON

    def __call__(self) -> int:
        return self.ms

    def move(self, *, seconds: float) -> None:
        """Goes on by so many seconds."""
        self.ms += int(seconds * 1000)


class Caller:
    """A client that holds a token and speaks one API version."""

    base = "/services/data/v66.0"

    def __init__(self, app: Flask, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.org: Org = app.extensions["sandbox"]
        self.http: FlaskClient = app.test_client()
        self.headers: dict[str, str] = {}
        self.log_in()

    def log_in(self) -> None:
        """Takes a new token."""
        config = self.org.config
        form = {
            "grant_type": "client_credentials",
            "client_id": config.client_id,
            "client_secret": config.client_secret,
        }
        found = self.http.post("/services/oauth2/token", data=form).get_json()
        self.headers["Authorization"] = f"Bearer {found['access_token']}"

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """The answer to a call, below the version's path where the path is not a whole one."""
        url = path if path.startswith("/services") else self.base + path
        headers = self.headers | more.pop("headers", {})
        return self.http.open(url, method=method, json=body, headers=headers, **more)

    def soql(self, query: str, path: str = "/query") -> list[dict[str, Any]]:
        """The records a query finds."""
        answer = self.send("GET", path, query_string={"q": query})
        assert answer.status_code == 200, answer.text
        records: list[dict[str, Any]] = answer.get_json()["records"]
        return records

    def column(self, query: str) -> list[Any]:
        """The values of the first column a query selects."""
        name = query.split()[1].strip(",")
        return [record[name] for record in self.soql(query)]

    def create(self, name: str, **fields: Any) -> str:
        """The id of a new record."""
        answer = self.send("POST", f"/sobjects/{name}", fields)
        assert answer.status_code == 201, answer.text
        found: str = answer.get_json()["id"]
        return found

    def upsert(self, name: str, key: str, *records: dict[str, Any], all_or_none: bool = False) -> list[dict[str, Any]]:
        """The results of one collection upsert."""
        rows = [{"attributes": {"type": name}, **record} for record in records]
        body = {"allOrNone": all_or_none, "records": rows}
        answer = self.send("PATCH", f"/composite/sobjects/{name}/{key}", body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.get_json()
        return found

    def control(self, path: str, body: Any = None) -> Any:
        """The answer of a control endpoint: a POST with a body, else a GET."""
        answer = self.http.open(f"/sandbox/{path}", method="GET" if body is None else "POST", json=body)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def faults(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Puts a fault plan in force."""
        self.control("faults", {"seed": seed, "rules": list(rules)})


MakeOrg = Callable[..., Caller]


@pytest.fixture
def make_org() -> Iterator[MakeOrg]:
    """A function that makes an org of its own, with settings; it has no package yet."""
    made: list[Caller] = []

    def make(**settings: Any) -> Caller:
        clock = Clock()
        made.append(Caller(create_sandbox(settings.pop("data", None), Config(**settings), clock), clock))
        return made[-1]

    yield make
    for caller in made:
        caller.org.db.close()


@pytest.fixture(scope="session")
def shared_app() -> Iterator[tuple[Flask, Clock]]:
    """One org with the package for all tests of a process; tests see it through ``org``, emptied each time."""
    clock = Clock()
    app = create_sandbox(clock=clock)
    deploy(app.extensions["sandbox"], compose_zip(), {})
    yield app, clock
    app.extensions["sandbox"].db.close()


@pytest.fixture
def org(shared_app: tuple[Flask, Clock]) -> Caller:
    """An org with the package and no records."""
    app, clock = shared_app
    here: Org = app.extensions["sandbox"]
    with here.db.transaction():
        for name in here.schema.objects:
            if name not in KEPT:
                here.db.run(f"DELETE FROM {quoted(name)}")
        here.db.run("DELETE FROM _cleared")
    here.faults.clear()
    here.usage.clear()
    here.sessions.clear()
    caller = Caller(app, clock)
    here.usage.clear()
    return caller

"""One org: its settings, clock, schema and rows, and what it starts with."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any

import orjson

from sandbox.database import Database, DataUnusable, quoted
from sandbox.faults import FaultPlan
from sandbox.ids import make_id
from sandbox.schema import Field, Schema, SObject, standard_objects
from sandbox.sessions import Sessions
from sandbox.usage import Usage

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set when an org starts."""

    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105 - of a local org, meant to be known
    public_key: str | None = None
    username: str = "integration@sandbox.test"
    token_seconds: int = 7200
    daily_limit: int = 100_000
    app_limit: int | None = None
    app_name: str = "connector"
    page_size: int = 2000
    deploy_polls: int = 0
    stamp_lag_ms: int = 0
    audit_fields: bool = True


def wall_clock() -> int:
    """Epoch milliseconds now."""
    return time.time_ns() // 1_000_000


class Org:
    """Everything the routes work on; one instance a running sandbox."""

    def __init__(self, data: Path | None = None, config: Config | None = None, clock: Clock = wall_clock) -> None:
        self.config = config or Config()
        self.clock = clock
        self.data = data
        self.db = Database(data / "org.sqlite3" if data else None)
        self.faults = FaultPlan()
        self.usage = Usage(self.config)
        self.sessions = Sessions(self.config.token_seconds, clock)
        self.locators: dict[str, Any] = {}
        self.deploys: dict[str, dict[str, Any]] = {}
        self._stamp_lock = Lock()
        self._lag = Random(0)  # noqa: S311 - spreads stamps, guards nothing
        self._last_stamp = 0
        self.schema = Schema({})
        try:
            self._open()
        except sqlite3.Error as error:
            raise DataUnusable(f"The org's file {self.db.file} cannot be used ({error})") from error

    def _open(self) -> None:
        with self.db.transaction():
            self.schema = Schema(standard_objects())
            for (spec,) in self.db.all("SELECT spec FROM _object ORDER BY prefix"):
                self.schema.put(_read_object(orjson.loads(spec)))
            for item in self.schema.objects.values():
                self.db.shape(item)
            self._last_stamp = max(self._newest(item) for item in self.schema.objects.values())
            self.org_id, self.user_id = self._found()

    def _newest(self, item: SObject) -> int:
        row = self.db.one(f"SELECT max(SystemModstamp) FROM {quoted(item.name)}")  # noqa: S608
        return int(row[0] or 0) if row else 0

    def _found(self) -> tuple[str, str]:
        """The ids of the organization and the integration user; makes both on the first day."""
        row = self.db.one("SELECT Id FROM Organization")
        if row is None:
            org_id = self.insert("Organization", Name="Sandbox", InstanceName="SBX1", IsSandbox=1,
                                 OrganizationType="Developer Edition", TimeZoneSidKey="Etc/UTC")  # fmt: skip
            profile = self.insert("Profile", Name="System Administrator", UserType="Standard")
            for username, first, last in ((self.config.username, "Integration", "User"),
                                          ("admin@sandbox.test", "Org", "Admin")):  # fmt: skip
                if self.db.one("SELECT Id FROM User WHERE Username = ?", (username,)) is None:
                    self.insert("User", Username=username, FirstName=first, LastName=last, Email=username,
                                IsActive=1, UserType="Standard", ProfileId=profile)  # fmt: skip
        else:
            org_id = row[0]
        user = self.db.one("SELECT Id FROM User WHERE Username = ? OR 1 ORDER BY Username = ? DESC, Id",
                           (self.config.username, self.config.username))  # fmt: skip
        if user is None:
            raise RuntimeError("the org has no user")
        return str(org_id), str(user[0])

    def insert(self, name: str, **values: Any) -> str:
        """The id of a new record written as it is, for what the org itself brings along."""
        item = self.schema.objects[name]
        record_id = make_id(item.prefix, self.db.take_numbers(item.prefix, 1))
        stamp = self.stamp()
        user = getattr(self, "user_id", None)
        row = {"Id": record_id, "CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp,
               "CreatedById": user, "LastModifiedById": user, **values}  # fmt: skip
        names = ", ".join(quoted(key) for key in row)
        marks = ", ".join("?" * len(row))
        self.db.run(f"INSERT INTO {quoted(name)} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        return record_id

    def stamp(self) -> int:
        """The time of one write call, later than that of every call before it.

        With a stamp lag the time lies somewhat back, as where a long transaction commits after its stamp.
        """
        with self._stamp_lock:
            self._last_stamp = max(self.clock(), self._last_stamp + 1)
            return self._last_stamp - (self._lag.randrange(lag + 1) if (lag := self.config.stamp_lag_ms) else 0)

    def covered_until(self) -> int:
        """The time up to which no further write can be stamped."""
        with self._stamp_lock:
            return max(self.clock(), self._last_stamp) - self.config.stamp_lag_ms

    def keep_object(self, item: SObject) -> None:
        """Keeps an object that a deploy made or changed, with its table."""
        self.schema.put(item)
        self.db.run("INSERT OR REPLACE INTO _object VALUES (?, ?, ?)",
                    (item.name, item.prefix, orjson.dumps(_write_object(item))))  # fmt: skip
        self.db.shape(item)

    def reset(self) -> None:
        """Forgets every row, deploy, token and fault: the org as on its first day."""
        with self.db.transaction():
            tables = [row[0] for row in self.db.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                if table.startswith("_"):
                    self.db.run(f"DELETE FROM {table}")  # noqa: S608 - names come from the database itself
                else:
                    self.db.run(f"DROP TABLE {quoted(table)}")
        self.locators.clear()
        self.deploys.clear()
        self.faults.clear()
        self.usage.clear()
        self.sessions.clear()
        self._open()


def new_token(org_id: str) -> str:
    """An access token shaped like Salesforce's."""
    return f"{org_id[:15]}!AQ{secrets.token_urlsafe(48)}"


def _write_object(item: SObject) -> dict[str, Any]:
    spec = {key: getattr(item, key) for key in ("name", "prefix", "label", "plural", "closed", "custom", "merges")}
    return spec | {"fields": [asdict(field) for field in item.fields.values()]}


def _read_object(spec: dict[str, Any]) -> SObject:
    fields = [_read_field(field) for field in spec.pop("fields")]
    return SObject(**(spec | {"closed": tuple(spec["closed"]), "fields": {field.name: field for field in fields}}))


def _read_field(spec: dict[str, Any]) -> Field:
    known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    return Field(**known)

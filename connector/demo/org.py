"""Fills the demo's org by its REST API, as any integration would; looks before it writes, so it can run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from connector.demo.org_rows import PEOPLE, OrgCase, org_cases
from connector.errors import CrmRejected, CrmUnavailable

VERSION = "v66.0"
TIMEOUT = (5, 30)


@dataclass(frozen=True, slots=True)
class Org:
    """A signed-in look at an org's REST API."""

    url: str
    session: requests.Session

    @classmethod
    def sign_in(cls, url: str, client_id: str, client_secret: str) -> Org:
        """A session of its own: these calls are the CRM users' work, not the connector's."""
        session = requests.Session()
        answer = session.post(
            f"{url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(client_id, client_secret),
            timeout=TIMEOUT,
        )
        if answer.status_code != 200:
            raise CrmUnavailable(f"The org at {url} refused the demo's login ({answer.status_code}).")
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return cls(url, session)

    def query(self, soql: str) -> list[dict[str, Any]]:
        """All rows of a query."""
        answer = self._checked(self.session.get(self._path(f"query?q={quote(soql)}"), timeout=TIMEOUT))
        rows: list[dict[str, Any]] = list(answer["records"])
        while not answer["done"]:
            answer = self._checked(self.session.get(f"{self.url}{answer['nextRecordsUrl']}", timeout=TIMEOUT))
            rows += answer["records"]
        return rows

    def count(self, obj: str, where: str = "") -> int:
        """How many rows of an object the org has."""
        clause = f" WHERE {where}" if where else ""
        soql = f"SELECT COUNT() FROM {obj}{clause}"  # noqa: S608 - names of our own package
        answer = self._checked(self.session.get(self._path(f"query?q={quote(soql)}"), timeout=TIMEOUT))
        return int(answer["totalSize"])

    def create(self, obj: str, values: Mapping[str, Any]) -> str:
        """Creates a row and gives its Id."""
        answer = self.session.post(self._path(f"sobjects/{obj}"), json=dict(values), timeout=TIMEOUT)
        return str(self._checked(answer)["id"])

    def seed(self, start: datetime) -> dict[str, str]:
        """The story's contacts and the cases of the other channels; contact Ids by the story's keys."""
        ids = self._contacts()
        known = {
            row["Subject"]: row["Id"]
            for row in self.query("SELECT Id, Subject FROM Case WHERE Connector_Key__c = null")
        }
        for case in org_cases(start):
            if case.subject not in known:
                self._case(case, ids[case.person])
        return ids

    def _contacts(self) -> dict[str, str]:
        known = {row["Email"]: row["Id"] for row in self.query("SELECT Id, Email FROM Contact WHERE Email != null")}
        return {each.key: known.get(each.email) or self.create("Contact", each.fields()) for each in PEOPLE}

    def _case(self, case: OrgCase, contact: str) -> None:
        values = {"Subject": case.subject, "Origin": case.origin, "Status": case.status, "ContactId": contact}
        case_id = self.create("Case", values)
        for obj, child in case.children:
            parent = {
                "Task": {"WhatId": case_id, "WhoId": contact},
                "EmailMessage": {"ParentId": case_id},
                "LiveChatTranscript": {"CaseId": case_id, "ContactId": contact},
            }[obj]
            self.create(obj, {**child, **parent})

    def _path(self, rest: str) -> str:
        return f"{self.url}/services/data/{VERSION}/{rest}"

    def _checked(self, answer: requests.Response) -> dict[str, Any]:
        if answer.status_code >= 400:
            raise CrmRejected(f"The org answered {answer.status_code}: {answer.text[:300]}")
        value: dict[str, Any] = answer.json()
        return value

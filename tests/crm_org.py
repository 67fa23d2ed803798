"""A sandbox org for tests, with the connector's package in it, and a gateway to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from connector.crm.package import compose_zip
from connector.crm.salesforce import SalesforceGateway
from connector.flows.writeback import fields_written
from connector.mapping.crm import CrmMapping, load_crm_mapping
from connector.settings import CrmSettings, default_mappings_dir
from sandbox.org import Config
from sandbox.server import SandboxServer

CRM_MAPPING: CrmMapping = load_crm_mapping(default_mappings_dir() / "crm" / "salesforce.yml")
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
QUICK = (2.0, 10.0)
KEPT = frozenset({"Organization", "User", "Profile", "PermissionSet"})


def settings_for(url: str, **more: Any) -> CrmSettings:
    """Settings that reach an org at this address with the sandbox's client."""
    basic = CrmSettings(url, f"{url}/services/oauth2/token", url, CLIENT["client_id"], CLIENT["client_secret"])
    return replace(basic, **more)


def gateway_to(url: str) -> SalesforceGateway:
    """A gateway to the org at this address."""
    return SalesforceGateway(settings_for(url), writes=fields_written(CRM_MAPPING), timeout=QUICK)


@dataclass(slots=True)
class TestOrg:
    """A running sandbox as tests use it: what people do in the CRM, what it holds, what it was asked."""

    server: SandboxServer
    gateway: SalesforceGateway
    people: requests.Session

    __test__ = False

    @property
    def url(self) -> str:
        return self.server.url

    def create(self, obj: str, **values: Any) -> str:
        """A record made by a person in the CRM; its id."""
        return str(self._rest("POST", f"sobjects/{obj}", values)["id"])

    def change(self, obj: str, record_id: str, **values: Any) -> None:
        """A record changed by a person in the CRM."""
        self._rest("PATCH", f"sobjects/{obj}/{record_id}", values)

    def delete(self, obj: str, record_id: str) -> None:
        """A record deleted by a person in the CRM."""
        self._rest("DELETE", f"sobjects/{obj}/{record_id}", None)

    def merge(self, master: str, *losers: str) -> None:
        """Records merged by a person in the CRM."""
        self.control("merge", {"master": master, "losers": list(losers)})

    def rows(self, soql: str) -> list[dict[str, Any]]:
        """What a query finds, deleted records included, asked by somebody else than the connector."""
        answer = self.people.get(f"{self.url}/services/data/v66.0/queryAll", params={"q": soql}, timeout=10)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["done"]
        return [{key: value for key, value in row.items() if key != "attributes"} for row in found["records"]]

    def faults(self, *rules: Mapping[str, Any], seed: int = 1) -> None:
        """Puts a fault plan in force; none ends it."""
        self.control("faults", {"seed": seed, "rules": [dict(rule) for rule in rules]})

    def stats(self) -> dict[str, Any]:
        """What the org was asked since the start."""
        return dict(self.people.get(f"{self.url}/sandbox/stats", timeout=10).json())

    def control(self, what: str, body: Mapping[str, Any]) -> None:
        """One of the sandbox's own handles."""
        answer = self.people.post(f"{self.url}/sandbox/{what}", json=dict(body), timeout=10)
        assert answer.status_code == 200, answer.text

    def empty(self) -> None:
        """Makes the org as new, but for its people and the package in it."""
        org = self.server.org
        org.faults.clear()
        with org.db.transaction():
            for name in org.schema.objects:
                if name not in KEPT:
                    org.db.run(f'DELETE FROM "{name}"')
            org.db.run("DELETE FROM _cleared")
        org.usage.clear()

    def _rest(self, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = self.people.request(method, f"{self.url}/services/data/v66.0/{path}", json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}


@contextmanager
def running_org(
    tmp_path: Path | None = None,
    *,
    tls: bool = False,
    config: Config | None = None,
    gateway: Callable[[str], SalesforceGateway] | None = None,
    installed: bool = True,
) -> Iterator[TestOrg]:
    """An org on a port of its own; with the package in it unless told otherwise."""
    with SandboxServer(data=tmp_path, tls=tls, config=config) as server, requests.Session() as people:
        people.trust_env = False
        if server.certificate:
            people.verify = str(server.certificate)
        answer = people.post(
            f"{server.url}/services/oauth2/token",
            data={"grant_type": "client_credentials", **CLIENT},
            timeout=10,
        )
        people.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        org = TestOrg(server, (gateway or gateway_to)(server.url), people)
        try:
            if installed:
                org.gateway.install(compose_zip())
            yield org
        finally:
            org.gateway.close()

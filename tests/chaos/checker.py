"""Proves the promises from outside: plain SQL on the store, queries to the org, no code of the service."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import requests

from tests.chaos.database import Database, Row
from tests.chaos.story import Matter, Said, Story

STATES = {"live": "Live", "deleted": "Deleted"}


class OrgReader:
    """Reads the org as somebody else than the service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        secret = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
        token = self.session.post(f"{url}/services/oauth2/token", data=secret, timeout=10).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def rows(self, soql: str) -> list[Row]:
        """Everything a query finds."""
        answer = self.session.get(f"{self.url}/services/data/v66.0/query", params={"q": soql}, timeout=30).json()
        found = list(answer["records"])
        while not answer["done"]:
            answer = self.session.get(f"{self.url}{answer['nextRecordsUrl']}", timeout=30).json()
            found += answer["records"]
        return found

    def faults(self, rules: list[Row], seed: int) -> None:
        """Puts a fault plan in force; an empty one ends all faults."""
        self.session.post(f"{self.url}/sandbox/faults", json={"seed": seed, "rules": rules}, timeout=10)

    def stats(self) -> Row:
        """What the org was asked."""
        return dict(self.session.get(f"{self.url}/sandbox/stats", timeout=10).json())


def iso(millis: int | None) -> str | None:
    """The store's time as the story writes it."""
    if millis is None:
        return None
    moment = datetime.fromtimestamp(millis / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(text: str | None) -> str | None:
    """A time of the store or of the org to the second, which is all that the org keeps."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")[:19]


def check_store(database: Database, story: Story) -> None:
    """Everything that was accepted is in the store exactly once, as the story says, or on the shelf with its reason."""
    if database.is_sqlite:
        assert database.look("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    accepted = {(each.source, each.body) for each in story.deliveries if not each.is_forged}
    deliveries = database.look("SELECT source, body, state FROM deliveries")
    assert Counter(row["state"] for row in deliveries) == {"done": len(accepted)}
    assert {(row["source"], row["body"]) for row in deliveries} == accepted
    bad = sum(each.bad for each in {(each.source, each.body): each for each in story.deliveries}.values())
    assert database.look("SELECT COUNT(*) AS n FROM shelf WHERE state = 'open'") == [{"n": bad}]
    items = {row["item_id"]: row for row in database.look("SELECT * FROM interactions")}
    assert items.keys() == story.items.keys()
    cases = {row["profile"]: row for row in database.look(_CASES)}
    assert cases.keys() == story.matters.keys()
    for item, said in story.items.items():
        _check_item(items[item], said, cases[said.customer])
    for customer, matter in story.matters.items():
        _check_case(cases[customer], matter)


_CASES = "SELECT c.*, p.external_id AS profile, p.handle FROM cases c JOIN social_profiles p ON p.id = c.profile_id"


def _check_item(row: Row, said: Said, case: Row) -> None:
    assert (row["text"], row["state"]) == (said.text, "deleted" if said.is_deleted else "live")
    assert row["direction"] == ("inbound" if said.inbound else "outbound")
    assert (row["case_id"], row["profile_id"]) == (case["id"], case["profile_id"])


def _check_case(row: Row, matter: Matter) -> None:
    assert (row["inbound_touches"], row["outbound_touches"]) == (matter.inbound, matter.answers)
    assert iso(row["first_inbound_at"]) == iso(row["opened_at"]) == matter.first_inbound
    assert iso(row["first_response_at"]) == matter.first_answer
    assert row["handle"] == matter.handle


def check_org(database: Database, org: OrgReader, story: Story) -> None:
    """One org row per key, each as the final store says; nothing stale, nothing missing, nothing else, no contact."""
    assert database.look("SELECT state, COUNT(*) AS n FROM outbox GROUP BY state") == [
        {"state": "sent", "n": len(story.items) + 2 * len(story.matters)}
    ]
    stored = {row["id"]: row for row in database.look("SELECT * FROM interactions")}
    cases = {row["id"]: row for row in database.look(_CASES)}
    shown = org.rows(
        "SELECT Interaction_Key__c, Direction__c, State__c, Summary__c, Occurred_At__c, Contact__c, "
        "Case__r.Connector_Key__c, Social_Profile__r.Profile_Key__c FROM Channel_Interaction__c"
    )
    assert Counter(row["Interaction_Key__c"] for row in shown) == Counter(stored.keys())
    for row in shown:
        item = stored[row["Interaction_Key__c"]]
        assert row["State__c"] == STATES[item["state"]]
        assert (row["Summary__c"] or "") == (item["text"] or "")
        assert row["Direction__c"].lower() == item["direction"]
        assert second(row["Occurred_At__c"]) == second(iso(item["occurred_at"]))
        assert row["Case__r"]["Connector_Key__c"] == item["case_id"]
        assert row["Social_Profile__r"]["Profile_Key__c"] == item["profile_id"]
        assert row["Contact__c"] is None
    _check_org_cases(org, cases)
    _check_org_profiles(org, {row["profile_id"]: row for row in cases.values()})


def _check_org_cases(org: OrgReader, cases: dict[str, Row]) -> None:
    shown = org.rows(
        "SELECT Connector_Key__c, Inbound_Touches__c, Outbound_Touches__c, First_Inbound_At__c, First_Response_At__c, "
        "ContactId FROM Case"
    )
    assert Counter(row["Connector_Key__c"] for row in shown) == Counter(cases.keys())
    for row in shown:
        case = cases[row["Connector_Key__c"]]
        assert (row["Inbound_Touches__c"], row["Outbound_Touches__c"]) == (
            case["inbound_touches"],
            case["outbound_touches"],
        )
        assert second(row["First_Inbound_At__c"]) == second(iso(case["first_inbound_at"]))
        assert second(row["First_Response_At__c"]) == second(iso(case["first_response_at"]))
        assert row["ContactId"] is None


def _check_org_profiles(org: OrgReader, profiles: dict[str, Row]) -> None:
    shown = org.rows("SELECT Profile_Key__c, Handle__c, Network_User_Id__c, Contact__c FROM Social_Profile__c")
    assert Counter(row["Profile_Key__c"] for row in shown) == Counter(profiles.keys())
    for row in shown:
        profile = profiles[row["Profile_Key__c"]]
        assert (row["Handle__c"], row["Network_User_Id__c"]) == (profile["handle"], profile["profile"])
        assert row["Contact__c"] is None

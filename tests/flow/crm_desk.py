"""What the flow tests of the CRM share: a connector at work beside a sandbox org."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import select, text, update

from connector.crm.port import CRM, Outcome, Record, RowResult
from connector.domain.clock import Clock
from connector.domain.events import format_time
from connector.domain.keys import derive_id
from connector.errors import CrmUnavailable
from connector.flows.projection import Ownership, project
from connector.flows.sync import SyncReport, sync_once
from connector.flows.writeback import DrainReport, drain_once
from connector.store import outbox
from connector.store.crm_state import write_state
from connector.store.tables import case_events, cases, crm_contacts, interactions, social_profiles
from connector.store.tables import outbox as outbox_table
from connector.store.unit_of_work import Store
from tests.crm_org import CRM_MAPPING, TestOrg
from tests.flow.consenting import NAMESPACE, Desk, desk_on

PROFILE, CASE, INTERACTION = "Social_Profile__c", "Case", "Channel_Interaction__c"
KEYS = {PROFILE: "Profile_Key__c", CASE: "Connector_Key__c", INTERACTION: "Interaction_Key__c"}
CONTACT = {PROFILE: "Contact__c", CASE: "ContactId", INTERACTION: "Contact__c"}
MOST_DRAINS = 200


@dataclass(slots=True)
class CrmDesk(Desk):
    """A connector whose CRM is a sandbox org."""

    org: TestOrg | None = None

    def person(self, **values: Any) -> str:
        """A contact made by a person in the CRM; its id."""
        assert self.org is not None
        return self.org.create("Contact", **({"LastName": "Invented"} | values))

    def sync(self, *, full: bool = False) -> SyncReport:
        """What one reading of the CRM changed."""
        return sync_once(self.ctx, full=full)

    def send(self, *, until_idle: bool = True) -> DrainReport:
        """Drains until nothing is due any more, skipping every wait; all reports in one."""
        total = DrainReport()
        for _ in range(MOST_DRAINS):
            report = drain_once(self.ctx, flush=True)
            total = DrainReport(
                total.sent + report.sent, total.unchanged + report.unchanged, total.retried + report.retried,
                total.dead + report.dead, total.calls + report.calls, report.wait_until,
            )  # fmt: skip
            if report.is_idle and not self.hurry():
                return total
            if not until_idle:
                return total
        raise AssertionError("the outbox never ran empty")

    def bend(self) -> Bent:
        """Puts a CRM between that a test can bend."""
        assert self.ctx.crm is not None
        bent = Bent(self.ctx.crm)
        self.ctx = replace(self.ctx, crm=cast("CRM", bent))
        return bent

    def hurry(self) -> bool:
        """Makes everything due now that waits for its back-off or the breaker; whether there was such a thing."""
        with self.store.begin() as uow:
            pending = update(outbox_table).where(outbox_table.c.state == "pending", outbox_table.c.run_at > 0)
            rows = uow.connection.execute(pending.values(run_at=0)).rowcount
            write_state(uow, "writeback", {})
        return bool(rows)

    def wanted(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every record that the CRM should have, by object and key: the store's projection at this moment."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with self.store.read() as connection:
            rows = connection.execute(select(outbox_table)).all()
            for obj in CRM_MAPPING.objects.values():
                keys = [row.external_key for row in rows if row.object == obj.name]
                projected = project(connection, CRM_MAPPING, self.ctx.consent, obj, keys, self.ctx.clock())
                for key, each in projected.items():
                    if not each.left_alone:
                        contact = {CONTACT[obj.name]: each.contact} if each.ownership is Ownership.OURS else {}
                        found[obj.name, key] = {**each.base, **contact}
        return found

    def theirs(self) -> set[tuple[str, str]]:
        """The cases, by object and key, whose contact a person in the CRM chose."""
        with self.store.read() as connection:
            keys = list(connection.execute(select(cases.c.id)).scalars())
            mapping = CRM_MAPPING.objects["case"]
            found = project(connection, CRM_MAPPING, self.ctx.consent, mapping, keys, self.ctx.clock())
        return {(CASE, key) for key, each in found.items() if each.ownership is Ownership.THEIRS}

    def held(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every record of ours that the CRM has, by object and key, its parents by their external key."""
        assert self.org is not None
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for obj in CRM_MAPPING.objects.values():
            names = [obj.key, *obj.fields, CONTACT[obj.name]]
            parents = {PARENTS[name]: name for name in obj.parents}
            extra = [obj.crm_case] if obj.crm_case else []
            columns = ", ".join([*names, *parents, *extra])
            for row in self.org.rows(f"SELECT {columns} FROM {obj.name} WHERE {obj.key} != null AND IsDeleted = false"):
                record = {name: _plain(row[name]) for name in names}
                for path, name in parents.items():
                    parent, _, field = path.partition(".")
                    if row[parent]:
                        record[name] = {field: row[parent][field]}
                if obj.crm_case and row[obj.crm_case] and not row["Case__r"]["Connector_Key__c"]:
                    del record["Case__r"]
                    record[obj.crm_case] = row[obj.crm_case]
                found[obj.name, row[obj.key]] = record
        return found

    def contacts_in_org(self) -> set[str | None]:
        """Every contact that a record of ours names in the org."""
        return {record.get("ContactId", record.get("Contact__c")) for record in self.held().values()}

    def record(self, obj: str, key: str) -> dict[str, Any]:
        """One record of the CRM by its external key."""
        return self.held()[obj, key]

    def row(self, obj: str, key: str) -> Any:
        """The outbox row of a record."""
        statement = select(outbox_table).where(outbox_table.c.object == obj, outbox_table.c.external_key == key)
        with self.store.read() as connection:
            return connection.execute(statement).one()

    def case_row(self, case_id: str) -> Any:
        """A case as stored."""
        with self.store.read() as connection:
            return connection.execute(select(cases).where(cases.c.id == case_id)).one()

    def change_case(self, case_id: str, **values: Any) -> None:
        """A case changed by ingestion, and queued with the change."""
        with self.store.begin() as uow:
            if values:
                uow.connection.execute(update(cases).where(cases.c.id == case_id).values(**values))
            outbox.queue(uow, CASE, case_id)

    def change_interaction(self, key: str, **values: Any) -> None:
        """An interaction changed by ingestion, and queued with the change."""
        with self.store.begin() as uow:
            if values:
                uow.connection.execute(update(interactions).where(interactions.c.id == key).values(**values))
            outbox.queue(uow, INTERACTION, key)

    def change_profile(self, key: str, **values: Any) -> None:
        """A profile changed by ingestion, and queued with the change."""
        with self.store.begin() as uow:
            if values:
                uow.connection.execute(update(social_profiles).where(social_profiles.c.id == key).values(**values))
            outbox.queue(uow, PROFILE, key)

    def born(self, record_id: str) -> Any:
        """The interaction that a record of the CRM became, or None."""
        statement = select(interactions).where(interactions.c.id == derive_id(NAMESPACE, "crm", record_id))
        with self.store.read() as connection:
            return connection.execute(statement).one_or_none()

    def mirrored(self, crm_id: str) -> Any:
        """The case with this record id, or None."""
        with self.store.read() as connection:
            return connection.execute(select(cases).where(cases.c.crm_id == crm_id)).one_or_none()

    def contact_row(self, contact_id: str) -> Any:
        """A contact as stored."""
        with self.store.read() as connection:
            return connection.execute(select(crm_contacts).where(crm_contacts.c.crm_id == contact_id)).one()

    def events_of(self, case_id: str) -> list[str]:
        """What happened to a case, by its history."""
        statement = select(case_events.c.type).where(case_events.c.case_id == case_id).order_by(case_events.c.id)
        with self.store.read() as connection:
            return list(connection.execute(statement).scalars())

    def history(self) -> list[dict[str, Any]]:
        """What the cross-channel history in the org shows."""
        assert self.org is not None
        fields = "Channel__c, Direction__c, Contact__c, Case__c, Summary__c, State__c"
        shown = "WHERE IsDeleted = false ORDER BY Occurred_At__c"
        return self.org.rows(f"SELECT {fields} FROM Channel_Interaction__c {shown}")

    def contents(self) -> Mapping[str, Any]:
        """Every row of every table but the state of reading itself, to see that nothing was written."""
        with self.store.read() as connection:
            names = ("crm_contacts", "crm_users", "cases", "interactions", "outbox", "links", "ledger", "case_events")
            return {name: connection.execute(text(f"SELECT * FROM {name}")).all() for name in names}


def _plain(value: Any) -> Any:
    return value.removesuffix("+0000") + "Z" if isinstance(value, str) and value.endswith("+0000") else value


PARENTS = {
    "Social_Profile__r": "Social_Profile__r.Profile_Key__c",
    "Case__r": "Case__r.Connector_Key__c",
    "Parent": "Parent.Connector_Key__c",
}


def case_id_of(profile_id: str, number: int = 0) -> str:
    """The id of the account's case that ``Desk.case`` made."""
    return derive_id(NAMESPACE, "case", profile_id, str(number))


def said_id_of(profile_id: str, number: int = 0) -> str:
    """The id of the interaction in it."""
    return derive_id(NAMESPACE, "interaction", profile_id, str(number))


def crm_desk(store: Store, clock: Clock, org: TestOrg, crm: CRM | None = None) -> CrmDesk:
    """A connector on this store beside this org."""
    ctx = replace(desk_on(store, clock).ctx, crm=crm or org.gateway, crm_mapping=CRM_MAPPING)
    return CrmDesk(ctx, org=org)


class Bent:
    """A CRM that passes everything on, but for what a test does before, after or instead of a write.

    The answers to writes of ``lost`` objects never come.
    """

    def __init__(self, crm: CRM) -> None:
        self._crm = crm
        self.before: Callable[[str, Sequence[Record]], list[RowResult] | None] = lambda _obj, _records: None
        self.after: Callable[[str], object] = lambda _obj: None
        self.lost: frozenset[str] = frozenset()
        self.written: list[tuple[str, Record]] = []
        self.missing = self.hidden = ""
        self.now: Callable[[], datetime] = crm.now

    def upsert(self, obj: str, key_field: str, records: Sequence[Record], *, assign: bool = False) -> list[RowResult]:
        instead = self.before(obj, records)
        self.written += [(obj, record) for record in records]
        return self._heard(
            obj, instead if instead is not None else self._crm.upsert(obj, key_field, records, assign=assign)
        )

    def update(self, obj: str, records: Mapping[str, Record]) -> list[RowResult]:
        instead = self.before(obj, list(records.values()))
        self.written += [(obj, record) for record in records.values()]
        return self._heard(obj, instead if instead is not None else self._crm.update(obj, records))

    def _heard(self, obj: str, results: list[RowResult]) -> list[RowResult]:
        self.after(obj)
        if obj in self.lost:
            raise CrmUnavailable("The answer never came.")
        return results

    def fields(self, obj: str) -> Mapping[str, Mapping[str, Any]] | None:
        described = self._crm.fields(obj)
        if described is None or obj == self.missing:
            return None
        return {name: each for name, each in described.items() if name != self.hidden}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._crm, name)


def only_the_list_knows(crm: CrmDesk, obj: str) -> None:
    """Makes the next reading of an object find nothing but what the org's list of deletions tells."""
    assert crm.org is not None
    now = crm.org.gateway.now()
    with crm.store.begin() as uow:
        write_state(uow, f"watermark:{obj}", {"since": "2099-01-01T00:00:00.000Z"})
        write_state(uow, f"deletions:{obj}", {"until": format_time(now - timedelta(hours=1))})
    crm.bend().now = lambda: now + timedelta(minutes=2)  # the list goes by whole minutes


def delete_for_good(crm: CrmDesk, obj: str, *record_ids: str) -> None:
    """Records that the org has no trace of any more, as weeks after their deletion."""
    assert crm.org is not None
    database = crm.org.server.org.db
    with database.transaction():
        for record_id in record_ids:
            database.run(f'DELETE FROM "{obj}" WHERE Id = ?', (record_id,))


def look_long_ago(crm: CrmDesk, obj: str, **ago: float) -> None:
    """Makes the last look at the org's list of deletions so long ago."""
    assert crm.org is not None
    with crm.store.begin() as uow:
        write_state(uow, f"deletions:{obj}", {"until": format_time(crm.org.gateway.now() - timedelta(**ago))})


def all_alike(code: str, outcome: Outcome) -> Callable[[str, Sequence[Record]], list[RowResult]]:
    """A CRM's answer that is the same for every record."""
    return lambda _obj, records: [RowResult(outcome, code=code, message="in the org's words") for _ in records]

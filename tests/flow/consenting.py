"""What the tests of consent share: an invented contact, an account that wrote, and a CRM that remembers every write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from connector.domain.channels import Channel
from connector.domain.clock import Clock
from connector.domain.consent import Actor, ActorKind, Answer, Evidence, Method
from connector.domain.events import to_millis
from connector.domain.keys import derive_id
from connector.domain.links import Denied, Permit
from connector.flows import access, consent
from connector.flows.consent import Receipt, RecordConsent, WithdrawConsent
from connector.flows.context import Context
from connector.mapping.channels import load_channels
from connector.mapping.purposes import ConsentRegistry, load_consent
from connector.settings import default_mappings_dir
from connector.store import ledger, outbox
from connector.store.outbox import Settlement, Settling
from connector.store.tables import cases, crm_contacts, interactions, links, social_profiles
from connector.store.unit_of_work import Store

COMPANY = "Riverbend Outfitters"
NAMESPACE = UUID("5d0f7b1e-8a52-4d0b-9d53-1c1f0a6f4b10")
SECRET = "a secret of forty characters for the vault"
MAPPINGS = default_mappings_dir()
REGISTRY: ConsentRegistry = load_consent(MAPPINGS, COMPANY)
CHANNELS = load_channels(MAPPINGS / "channels.yml")
ADA, BEN, CAY = "003000000000001AAA", "003000000000002AAA", "003000000000003AAA"
AGENT, OTHER_AGENT = Actor(ActorKind.AGENT, "usr_1"), Actor(ActorKind.AGENT, "usr_2")
PRIVACY = Actor(ActorKind.PRIVACY, "usr_9")
CUSTOMER = Actor(ActorKind.CUSTOMER, "thread")
ATTACH = "crm.case.attach"


@dataclass(frozen=True, slots=True)
class Write:
    """One record that the CRM got: of which account, and which contact it named."""

    obj: str
    key: str
    profile_id: str
    contact_id: str | None


@dataclass(slots=True)
class Desk:
    """A connector at work: its context, and a CRM that remembers what it was sent and shows the last of it."""

    ctx: Context
    writes: list[Write] = field(default_factory=list)
    shown: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.ctx.store

    def contact(self, crm_id: str, **more: Any) -> str:
        """A contact as the sync brings it."""
        row = {"crm_id": crm_id, "last_name": "Invented", "modified_at": 0, "synced_at": 0} | more
        with self.store.begin() as uow:
            uow.connection.execute(insert(crm_contacts).values(**row))
        return crm_id

    def account(self, handle: str, network: str = "x", **more: Any) -> str:
        """An account that wrote once: with one case and one interaction in it."""
        now = to_millis(self.ctx.clock())
        profile_id = derive_id(NAMESPACE, "profile", network, "", f"id-of-{handle}")
        row = {
            "id": profile_id, "network": network, "external_id": f"id-of-{handle}", "handle": handle,
            "handle_key": handle.casefold(), "first_seen_at": now, "last_seen_at": now,
        }  # fmt: skip
        with self.store.begin() as uow:
            uow.connection.execute(insert(social_profiles).values(**(row | more)))
        self.case(profile_id, 0)
        return profile_id

    def case(self, profile_id: str, number: int) -> str:
        """Another case of the account, queued as ingestion queues it."""
        now = to_millis(self.ctx.clock())
        case_id = derive_id(NAMESPACE, "case", profile_id, str(number))
        said = derive_id(NAMESPACE, "interaction", profile_id, str(number))
        shared = {"origin": "connector", "channel": "social", "network": "x", "profile_id": profile_id}
        with self.store.begin() as uow:
            uow.connection.execute(insert(cases).values(id=case_id, opened_at=now, sequence=number, **shared))
            uow.connection.execute(
                insert(interactions).values(
                    id=said, case_id=case_id, item_id=said, kind="mention", received_at=now, occurred_at=now, **shared
                )
            )
            outbox.queue(uow, "Social_Profile__c", profile_id)
            outbox.queue(uow, "Case", case_id, parent_key=profile_id)
            outbox.queue(uow, "Channel_Interaction__c", said, parent_key=case_id)
        return case_id

    def drain(self) -> list[Write]:
        """Sends what waits, each record built and permitted at this moment; what was sent in this round."""
        before = len(self.writes)
        while True:
            with self.store.begin() as uow:
                rows = outbox.claim(uow, 200)
            if not rows:
                return self.writes[before:]
            for row in rows:
                self.deliver(row.object, row.external_key)
            with self.store.begin() as uow:
                outbox.settle(uow, rows[0].claim, [Settlement(row.id, row.ver, Settling.SENT) for row in rows])

    def deliver(self, obj: str, key: str) -> None:
        profile_id = self.profile_of(obj, key)
        answer = self.gate(profile_id)
        contact_id = answer.contact_id if isinstance(answer, Permit) else None
        self.writes.append(Write(obj, key, profile_id, contact_id))
        self.shown[obj, key] = contact_id

    def profile_of(self, obj: str, key: str) -> str:
        if obj == "Social_Profile__c":
            return key
        table = cases if obj == "Case" else interactions
        with self.store.read() as connection:
            return str(connection.execute(select(table.c.profile_id).where(table.c.id == key)).scalar_one())

    def gate(self, profile_id: str, operation: str = ATTACH) -> Permit | Denied:
        with self.store.read() as connection:
            return access.permit(connection, self.ctx.consent, profile_id, operation, self.ctx.clock())

    def reason(self, profile_id: str, operation: str = ATTACH) -> str:
        """Why the gate denies; "allowed" where it does not."""
        answer = self.gate(profile_id, operation)
        return answer.reason.value if isinstance(answer, Denied) else "allowed"

    def contacts_shown(self, profile_id: str) -> set[str | None]:
        """Every contact that the CRM's records of the account name now."""
        return {contact for (obj, key), contact in self.shown.items() if self.profile_of(obj, key) == profile_id}

    def answer(self, profile_id: str | None, contact_id: str, answers: dict[str, Answer], **more: Any) -> RecordConsent:
        """The command of an agent who asked on the phone in English."""
        notice = "phone" if set(answers) <= {"service"} else "more"
        told = self.ctx.consent.current(notice, "en", self.ctx.clock())
        assert told is not None
        command = RecordConsent(
            contact_id=contact_id,
            method=Method.AGENT_PHONE,
            notice_id=told.id,
            notice_version=told.version,
            lang="en",
            answers=answers,
            evidence=Evidence(wording=told.rendered(COMPANY), customer_words="Yes, that is fine", reference="call-1"),
            actor=AGENT,
            profile_id=profile_id,
        )
        return replace(command, **more)

    def yes(self, profile_id: str | None, contact_id: str = ADA, *purposes: str, **more: Any) -> Receipt:
        command = self.answer(profile_id, contact_id, dict.fromkeys(purposes or ("service",), Answer.YES), **more)
        return consent.record(self.ctx, command)

    def no(self, profile_id: str, contact_id: str = ADA, *purposes: str) -> Receipt:
        command = self.answer(profile_id, contact_id, dict.fromkeys(purposes or ("service",), Answer.NO))
        return consent.record(self.ctx, command)

    def undo(self, profile_id: str, **more: Any) -> Receipt:
        return consent.withdraw(self.ctx, WithdrawConsent(CUSTOMER, profile_id=profile_id, **more))

    def ledger_size(self) -> int:
        with self.store.read() as connection:
            return ledger.size(connection)

    def links(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(select(links).order_by(links.c.asked_at, links.c.id)))


def desk_on(store: Store, clock: Clock, registry: ConsentRegistry = REGISTRY) -> Desk:
    """A connector on this store and clock, with two contacts known."""
    ctx = Context(
        store=store,
        clock=clock,
        namespace=NAMESPACE,
        sources={},
        channels=CHANNELS,
        consent=registry,
        secret_key=SECRET,
        public_url="http://127.0.0.1",
        company=COMPANY,
    )
    desk = Desk(ctx)
    desk.contact(ADA)
    desk.contact(BEN)
    return desk


def script(desk: Desk, lang: str = "en") -> consent.Script:
    """What the agent reads out."""
    return consent.ask_script(desk.ctx, Channel.PHONE, lang)


NOON = datetime(2026, 2, 2, 12, tzinfo=UTC)

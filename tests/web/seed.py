"""A small invented world for the pages: people in the CRM, accounts on the networks, what they said, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from connector.domain.consent import Actor, ActorKind, Answer, Evidence, Method
from connector.domain.events import to_millis
from connector.domain.keys import derive_id
from connector.domain.matching.facts import ContactFacts
from connector.domain.profiles import handle_key
from connector.flows.consent.record import record
from connector.flows.consent.words import Receipt, RecordConsent
from connector.flows.context import Context
from connector.store import tables
from connector.store.suggestion_index import SqlSuggestionIndex

MARA = "003aa0000000001AAA"
TOMAS = "003aa0000000002AAB"
LONG = "003aa0000000003AAC"
AGENT = Actor(ActorKind.AGENT, "usr_test")


@dataclass
class Seed:
    """Writes rows straight into the store; ids come back for the test to use."""

    ctx: Context
    cases: int = 0
    said: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The world's present moment."""
        return self.ctx.clock()

    def ago(self, **amount: float) -> int:
        """Epoch milliseconds so long before now."""
        return to_millis(self.now - timedelta(**amount))

    def insert(self, table: str, **values: Any) -> None:
        """Inserts one row."""
        with self.ctx.store.begin() as uow:
            uow.connection.execute(insert(tables.metadata.tables[table]).values(**values))

    def contact(self, crm_id: str, first: str | None, last: str, **more: Any) -> str:
        """A contact as the CRM's mirror has it, also in the suggestion index."""
        at = self.ago(days=400)
        self.insert(
            "crm_contacts", crm_id=crm_id, first_name=first, last_name=last, modified_at=at, synced_at=at, **more
        )
        facts = ContactFacts(
            contact_id=crm_id,
            first_name=first,
            last_name=last,
            emails=tuple(filter(None, [more.get("email")])),
            phones=tuple(filter(None, [more.get("phone")])),
            city=more.get("city"),
            state=more.get("state"),
        )
        with self.ctx.store.begin() as uow:
            SqlSuggestionIndex(uow.connection).upsert([facts])
        return crm_id

    def profile(self, handle: str | None, *, network: str = "x", seen_days_ago: float = 1, **more: Any) -> str:
        """A social profile."""
        profile_id = derive_id(self.ctx.namespace, "profile", network, "", handle or str(more))
        self.insert(
            "social_profiles",
            id=profile_id,
            network=network,
            external_id=f"ext-{profile_id[:8]}",
            handle=handle,
            handle_key=handle_key(network, handle) if handle else None,
            first_seen_at=self.ago(days=90),
            last_seen_at=self.ago(days=seen_days_ago),
            **more,
        )
        return profile_id

    def case(
        self,
        profile_id: str | None = None,
        *,
        opened: Mapping[str, float],
        answered: Mapping[str, float] | None = None,
        **more: Any,
    ) -> str:
        """A case that opened so long ago and was first answered so long ago."""
        self.cases += 1
        case_id = derive_id(self.ctx.namespace, "case", str(self.cases))
        at = self.ago(**opened)
        response = self.ago(**answered) if answered else None
        values: dict[str, Any] = {
            "origin": "connector",
            "channel": "social",
            "network": "x",
            "thread": f"thread-{self.cases}",
            "visibility": "public",
            "opened_at": at,
            "first_inbound_at": at,
            "last_inbound_at": at,
            "first_response_at": response,
            "last_outbound_at": response,
            "inbound_touches": 1,
            "outbound_touches": 1 if response else 0,
        }
        self.insert("cases", id=case_id, profile_id=profile_id, **{**values, **more})
        return case_id

    def say(self, case_id: str | None, text: str | None, *, ago: Mapping[str, float], **more: Any) -> str:
        """One interaction; the customer's unless ``direction`` says otherwise."""
        self.said += 1
        interaction_id = derive_id(self.ctx.namespace, "interaction", str(self.said))
        ours = more.get("direction") in ("outbound", "internal")
        values: dict[str, Any] = {
            "origin": "connector",
            "channel": "social",
            "network": "x",
            "item_id": f"item-{self.said}",
            "kind": "reply" if ours else "mention",
            "direction": "inbound",
            "author_role": "agent" if ours else "customer",
            "visibility": "public",
            "occurred_at": self.ago(**ago),
            "received_at": self.ago(**ago),
        }
        self.insert("interactions", id=interaction_id, case_id=case_id, text=text, **{**values, **more})
        return interaction_id

    def delivery(self, source: str = "social", **more: Any) -> int:
        """A stored delivery."""
        number = self.numbers["delivery"] = self.numbers.get("delivery", 0) + 1
        values = {
            "source": source,
            "key": f"key-{number}",
            "received_at": self.ago(minutes=number),
            "body": b'{"hello":"world"}',
            "content_type": "application/json",
        }
        with self.ctx.store.begin() as uow:
            # The database gives the number, else PostgreSQL would give it once more to who comes next.
            made = insert(tables.deliveries).values(**{**values, **more}).returning(tables.deliveries.c.id)
            return int(uow.connection.execute(made).scalar_one())

    def shelved(self, delivery_id: int, *, path: str = "$[0]", source: str = "social", **more: Any) -> None:
        """An item on the shelf."""
        values = {
            "reason": "mapping_unmatched",
            "detail": "No rule fits the type message.exploded.",
            "cure": "Add a rule to the mapping, then work on it again.",
            "shelved_at": self.ago(hours=3),
        }
        self.insert("shelf", delivery_id=delivery_id, source=source, item_path=path, **{**values, **more})

    def stuck(self, obj: str, key: str, *, code: str | None = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST") -> None:
        """An outbox row that the CRM will not take."""
        self.insert(
            "outbox",
            object=obj,
            external_key=key,
            rank=20,
            state="dead",
            attempts=1,
            queued_at=self.ago(hours=5),
            error_code=code,
            error="Status: bad value for restricted picklist field: Nwe",
        )

    def yes(self, profile_id: str, contact_id: str, answer: Answer = Answer.YES) -> Receipt:
        """A recorded answer, by the real flow."""
        notice = self.ctx.consent.current(self.ctx.consent.used_for["phone"], "en", self.now)
        assert notice is not None
        return record(
            self.ctx,
            RecordConsent(
                contact_id=contact_id,
                method=Method.AGENT_PHONE,
                notice_id=notice.id,
                notice_version=notice.version,
                lang="en",
                answers={"service": answer},
                evidence=Evidence(notice.rendered(self.ctx.company), "yes, that's fine"),
                actor=AGENT,
                profile_id=profile_id,
            ),
        )


def small_world(seed: Seed) -> dict[str, str]:
    """One of everything: a linked person over five channels, an unknown account, an open question, hard names."""
    seed.contact(
        MARA,
        "Mara",
        "Lindqvist",
        email="mara.lindqvist@fjordpost.no",
        phone="+47 22 12 34 56",
        city="Oslo",
        country="NO",
        account_name="Fjord & Sønn",
    )
    seed.contact(TOMAS, "Tomás", "Quispe", email="tquispe@andenet.pe", city="Arequipa", country="PE")
    seed.contact(
        LONG,
        "Wolfeschlegelsteinhausen Maximiliane Alexandrina",
        "von Bergerdorff-Schwarzenstein-Hohenlohe y Montenegro",
        city="Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    )
    linked = seed.profile("MaraLindqvist", display_name="Mara L.", followers=2140, location="Oslo")
    unknown = seed.profile(
        "tomas_quispe", display_name="Tomás 🦙", location="Arequipa", bio="coffee • trains • llamas", followers=87
    )
    arabic = seed.profile("نورالدين_خدمة", network="instagram", display_name="نور الدين", bio="مرحبا بكم")
    seed.yes(linked, MARA)
    case = seed.case(
        linked, opened={"hours": 3}, answered={"hours": 2}, last_inbound_at=seed.ago(minutes=20), inbound_touches=2
    )
    seed.say(
        case,
        "My parcel says delivered, but there is nothing here. <b>Help!</b>",
        ago={"hours": 3},
        author_name="@MaraLindqvist",
        profile_id=linked,
        permalink="https://x.com/MaraLindqvist/status/1",
    )
    seed.say(
        case,
        "Sorry Mara, we are looking for it.",
        ago={"hours": 2},
        direction="outbound",
        author_name="Fjordpost",
        profile_id=linked,
    )
    seed.say(
        case,
        "Thanks! 🙏 Any news?",
        ago={"minutes": 20},
        author_name="@MaraLindqvist",
        visibility="private",
        channel="messaging",
        profile_id=linked,
    )
    asked = seed.case(unknown, opened={"hours": 30})
    seed.say(
        asked,
        "@fjordpost the app shows an error\nsince yesterday 😡",
        ago={"hours": 30},
        author_name="@tomas_quispe",
        profile_id=unknown,
    )
    rtl = seed.case(arabic, opened={"minutes": 5}, network="instagram", channel="messaging", visibility="private")
    seed.say(
        rtl,
        "أين طردي؟ رقم الطلب 4711",
        ago={"minutes": 5},
        author_name="نور الدين",
        network="instagram",
        channel="messaging",
        visibility="private",
        profile_id=arabic,
    )
    phone = seed.case(
        opened={"days": 9},
        answered={"days": 9},
        origin="crm",
        channel="phone",
        network="phone",
        crm_id="500aa0000000001AAA",
        crm_number="00001042",
        crm_contact_id=MARA,
        subject="Address changed",
        status="Closed",
        closed_at=seed.ago(days=8),
    )
    seed.say(
        phone,
        None,
        ago={"days": 9},
        origin="crm",
        channel="phone",
        network="phone",
        kind="call",
        duration_seconds=312,
        crm_contact_id=MARA,
        author_name="Mara Lindqvist",
        visibility="private",
    )
    seed.say(
        None,
        "Please send the invoice again.",
        ago={"days": 20},
        origin="crm",
        channel="email",
        network="email",
        kind="email",
        crm_contact_id=MARA,
        author_name="Mara Lindqvist",
        visibility="private",
    )
    return {
        "linked": linked,
        "unknown": unknown,
        "arabic": arabic,
        "case": case,
        "asked": asked,
        "rtl": rtl,
        "phone": phone,
    }

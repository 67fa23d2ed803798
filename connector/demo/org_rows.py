"""What the CRM already knows before the first social post: contacts, and their calls, mails, chats and cases.

Every row carries a natural key that the seeding looks up first, so telling the story again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.domain.events import format_time


@dataclass(frozen=True, slots=True)
class Person:
    """A contact in the CRM; ``key`` is how the story refers to her."""

    key: str
    first: str
    last: str
    email: str
    phone: str
    city: str
    state: str
    country: str

    def fields(self) -> dict[str, str]:
        """The contact as the CRM's REST API takes it."""
        return {
            "FirstName": self.first, "LastName": self.last, "Email": self.email, "Phone": self.phone,
            "MailingCity": self.city, "MailingState": self.state, "MailingCountry": self.country,
        }  # fmt: skip


PEOPLE = (
    Person("tom_mi", "Tom", "Becker", "tom.becker@lakeshore.example", "+17345550142", "Plymouth", "MI", "US"),
    Person("tom_sd", "Tom", "Becker", "tbecker@prairie.example", "+16055550108", "Pierre", "SD", "US"),
    Person("tom_uk", "Thomas", "Becker", "thomas.becker@ridings.example", "+441134960217", "Leeds", "", "GB"),
    Person("tom_de", "Tom", "Becker", "t.becker@elbe.example", "+494055501234", "Hamburg", "", "DE"),
    Person("mara", "Mara", "Okafor", "mara.okafor@harbour.example", "+442079460755", "London", "", "GB"),
    Person("jonas", "Jonas", "Weiß", "jonas.weiss@isar.example", "+498955503311", "München", "", "DE"),
    Person("lucia", "Lucía", "Fernández", "lucia.fernandez@turia.example", "+34910555022", "Valencia", "", "ES"),
    Person("grace", "Grace", "Kim", "grace.kim@sound.example", "+12065550173", "Seattle", "WA", "US"),
    Person("sakura", "Sakura", "Tanaka", "sakura.tanaka@kamo.example", "+81755550146", "Kyoto", "", "JP"),
    Person("sam", "Sam", "O’Neill", "sam.oneill@liffey.example", "+35315550199", "Dublin", "", "IE"),
    Person("amelie", "Amélie", "Dubois", "amelie.dubois@rhone.example", "+33455550187", "Lyon", "", "FR"),
    Person("priya", "Priya", "Raman", "priya.raman@kaveri.example", "+914455501290", "Chennai", "", "IN"),
)


@dataclass(frozen=True, slots=True)
class OrgCase:
    """A case that people opened in the CRM, with the calls, mails or chat in it."""

    subject: str
    person: str
    origin: str
    status: str
    children: tuple[tuple[str, dict[str, Any]], ...] = field(default=())


def org_cases(start: datetime) -> tuple[OrgCase, ...]:
    """The cases of the other channels, in the days before the story's first post."""
    told = _Before(start)
    return (
        OrgCase(
            "Order 4711: where is it?", "tom_mi", "Phone", "Closed",
            (told.call("Asked about order 4711", -6, 312, "CA-demo-0001"),),
        ),
        OrgCase(
            "Refund for the tent", "tom_mi", "Email", "New",
            (
                told.mail("Refund for the tent", -4, "It came without poles. I want a refund.", "refund-1"),
                told.answer("Re: Refund for the tent", -3.8, "We are looking into it.", "refund-2"),
            ),
        ),
        OrgCase("Chat about sizes", "tom_mi", "Chat", "Closed", (told.chat(-2, 9),)),
        OrgCase("Change of address", "mara", "Web", "Closed"),
        OrgCase(
            "Boots: sole came off", "mara", "Phone", "New",
            (told.call("Boots: sole came off", -1, 184, "CA-demo-0002"),),
        ),
        OrgCase("Which stove fits?", "grace", "Community", "New"),
        OrgCase("Invoice copy", "jonas", "Email", "Closed"),
    )  # fmt: skip


Child = tuple[str, dict[str, Any]]
"""An object of the CRM and the fields of one row of it."""


@dataclass(frozen=True, slots=True)
class _Before:
    """Rows so many days from the story's start."""

    start: datetime

    def at(self, days: float) -> str:
        return format_time(self.start + timedelta(days=days)) or ""

    def call(self, subject: str, days: float, seconds: int, call_object: str) -> Child:
        values = {
            "Subject": subject, "TaskSubtype": "Call", "CallType": "Inbound", "Status": "Completed",
            "CallDurationInSeconds": seconds, "CallObject": call_object, "ActivityDate": self.at(days)[:10],
        }  # fmt: skip
        return ("Task", values)

    def mail(self, subject: str, days: float, text: str, message: str) -> Child:
        values = {
            "Subject": subject, "TextBody": text, "Incoming": True, "MessageDate": self.at(days),
            "MessageIdentifier": f"<{message}@mail.example>", "Status": "0",
            "FromAddress": "tom.becker@lakeshore.example",
        }  # fmt: skip
        return ("EmailMessage", values)

    def answer(self, subject: str, days: float, text: str, message: str) -> Child:
        told = {"Incoming": False, "Status": "3", "FromAddress": "care@northwind.example"}
        return ("EmailMessage", self.mail(subject, days, text, message)[1] | told)

    def chat(self, days: float, minutes: float) -> Child:
        values = {
            "StartTime": self.at(days), "EndTime": self.at(days + minutes / 1440), "Status": "Completed",
            "Body": "Chat transcript",
        }  # fmt: skip
        return ("LiveChatTranscript", values)

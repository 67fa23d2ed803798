"""What the consent operations take and give."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, Field, StrictBool, model_validator

from connector.domain.channels import Channel
from connector.domain.consent import AGENT_METHODS, Answer, HoldReason, Method
from connector.flows.consent.preview import Standstill
from connector.web.api_models import Moment, Paged

ACCOUNT = AliasChoices("account", "profile_id")


class NoticeRef(BaseModel, extra="forbid"):
    """The published wording that was shown."""

    id: str
    version: str
    lang: str = "en"


class WordingQuery(BaseModel, extra="forbid"):
    """Where the customer is asked, and in which language."""

    channel: Channel = Channel.PHONE
    network: str | None = Field(None, description="Where its own wording is wanted, such as x")
    lang: str = Field("en", description="English where there is no wording in it")
    more: bool = Field(False, description="true: the wording that asks for every purpose")


class WordingOut(BaseModel):
    """What to read out or paste when asking; `text` and `notice` go into the record as they are."""

    text: str
    notice: NoticeRef
    purposes: dict[str, str] = Field(description="What it asks for: each purpose, and what it is called")


class EvidenceIn(BaseModel, extra="forbid"):
    """What shows the answer later."""

    wording: str = Field(description="The text as it was shown or read aloud")
    customer_words: str
    reference: str | None = Field(None, validation_alias=AliasChoices("reference", "ref"))
    said_at: Moment = Field(None, validation_alias=AliasChoices("said_at", "at"))


class ConsentIn(BaseModel, extra="forbid"):
    """An answer that an agent heard or read. The account is `profile_id`, or `network` with `handle`."""

    profile_id: str | None = Field(None, validation_alias=ACCOUNT)
    network: str | None = None
    handle: str | None = None
    scope: str = ""
    contact_id: str
    method: Method = Field(json_schema_extra={"enum": [*map(str, sorted(AGENT_METHODS))]})
    notice: NoticeRef
    answers: dict[str, StrictBool | Answer] = Field(
        description="Per purpose: yes, no, not_now; true and false are yes and no"
    )
    evidence: EvidenceIn


class PreviewQuery(BaseModel, extra="forbid"):
    """About whom a yes would be: `account`, or `network` with `handle`; and which contact."""

    profile_id: str | None = Field(None, validation_alias=ACCOUNT)
    network: str | None = None
    handle: str | None = None
    scope: str = ""
    contact: str
    purposes: str | None = Field(None, description="The purposes agreed to, separated by commas; all unless named")


class ShareOut(BaseModel):
    """What the account has on one channel, and from when to when."""

    channel: str
    cases: int
    interactions: int
    first_at: str | None
    last_at: str | None


class WritingOut(BaseModel):
    """What is written to one kind of record in the CRM; `fields` has the field of each value that changes."""

    object: str
    records: int
    contact_field: str | None
    fields: dict[str, str]


class PreviewOut(BaseModel):
    """What a yes would move. With a `standstill` nothing moves, and `shares` tells what stays where it is."""

    profile_id: str | None
    contact_id: str
    purposes: list[str] = Field(description="Those of the purposes on which the moving rests")
    standstill: Standstill | None
    until: str | None = Field(description="Until when nobody asks again, for cooling_off")
    cases: int
    interactions: int
    first_at: str | None
    last_at: str | None
    shares: list[ShareOut]
    writes: list[WritingOut]
    kept_by_crm: int = Field(description="Cases that keep the contact which a person chose in the CRM")


class ChangeOut(BaseModel):
    """One entry of the ledger and where its link stands after it."""

    link_id: str
    state: str
    type: str
    seq: int
    hash: str
    at: str | None
    purposes: dict[str, str]
    holds: list[str]


class ReceiptOut(BaseModel):
    """What the request did; no changes where there was nothing to change."""

    link: str | None
    receipt: list[ChangeOut]


class RecordQuery(Paged):
    """Whose records."""

    profile_id: str | None = Field(None, validation_alias=ACCOUNT)
    contact: str | None = None
    link: str | None = None


class EntryOut(BaseModel):
    """One entry of the ledger, as it was written; nothing personal is in it."""

    seq: int
    at: str | None
    type: str
    link_id: str | None
    hash: str
    body: dict[str, Any]


class EntryList(BaseModel):
    """A page of ledger entries, oldest first."""

    items: list[EntryOut]
    next: str | None


class EvidenceOut(BaseModel):
    """A piece of evidence, opened; `content` holds personal data: the wording, the customer's words, who and when."""

    id: str
    kind: str
    recorded_at: str | None
    content: dict[str, Any]
    is_genuine: bool = Field(description="Whether it is what the ledger committed to when it was taken down")


class EvidenceList(BaseModel):
    """The evidence of one link, oldest first; empty once it was shredded."""

    items: list[EvidenceOut]


class LinkQuery(BaseModel, extra="forbid"):
    """Whose links; one of the two."""

    profile_id: str | None = Field(None, validation_alias=ACCOUNT)
    contact: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> LinkQuery:
        if self.profile_id is None and self.contact is None:
            raise ValueError("give `account` or `contact`")
        return self


class GrantOut(BaseModel):
    """The standing answer to one purpose."""

    purpose: str
    state: str
    expires_at: str | None
    notice_id: str | None
    notice_version: str | None


class LinkOut(BaseModel):
    """A link: an account and a contact joined by consent, or asked about."""

    id: str
    profile_id: str
    contact_id: str
    state: str
    h: int
    c: int
    asked_at: str | None
    answered_at: str | None
    ended_at: str | None
    grants: list[GrantOut]
    holds: list[str]


class LinkList(BaseModel):
    """Links, live ones first."""

    items: list[LinkOut]


class WithdrawIn(BaseModel, extra="forbid"):
    """What the customer wants undone; every purpose unless some are named."""

    purposes: list[str] | None = None
    words: str | None = None
    method: Method | None = None
    said_at: Moment = None


class HoldIn(BaseModel, extra="forbid"):
    """Why the link rests."""

    reason: HoldReason


class ReasonIn(BaseModel, extra="forbid"):
    """Why it ends."""

    reason: str = Field(min_length=1, max_length=500)


class PermitQuery(BaseModel, extra="forbid"):
    """Which account, for which operation."""

    profile_id: str = Field(validation_alias=ACCOUNT)
    operation: str


class PermitOut(BaseModel):
    """The gate's answer at this moment, and why."""

    allow: bool
    operation: str
    reason: str | None = None
    detail: str | None = None
    since: str | None = None
    contact_id: str | None = None
    purpose: str | None = None
    link_id: str | None = None

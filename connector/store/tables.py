"""Every table, on one page.

Conventions: times are BIGINT epoch milliseconds UTC and end in ``_at`` (``_until`` for leases); ids are opaque text;
profile, case and interaction ids are UUIDv5 of the installation namespace and the natural key, and are also the
external keys in the CRM. Key columns compare by bytes on both databases (``Key``), so prefixes and order agree.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

from connector.store.suggestion_tables import define as define_suggestion_tables
from connector.store.triggers import refuse_changes

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = String().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Millis = BigInteger
RowId = BigInteger().with_variant(Integer(), "sqlite")


def _one_of(column: str, *values: str, name: str | None = None) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name or f"{column}_known")


installation = Table(
    "installation",
    metadata,
    Column("name", Key, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts of this installation: the UUID namespace of external keys, the story start of a demo, the last good backup."""

# Intake --------------------------------------------------------------------------------------------------------------

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("source", Key, nullable=False),
    Column("key", Key, nullable=False),  # SHA-256 of the raw body, and the delivery id where the signature covers it
    Column("received_at", Millis, nullable=False),
    Column("content_type", Text, nullable=False, server_default=""),
    Column("headers", Text, nullable=False, server_default="{}"),  # JSON, by allow-list
    Column("body", LargeBinary),  # null once its retention has passed; the key stays
    Column("state", Key, nullable=False, server_default="new"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("touches", Integer, nullable=False, server_default="0"),  # leases that ran out: three make a poison pill
    Column("run_at", Millis, nullable=False, server_default="0"),
    Column("lease_until", Millis),
    Column("claim", Key),
    Column("first_failed_at", Millis),  # three days of failing make it dead
    Column("error", Text),
    Column("settled_at", Millis),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    UniqueConstraint("source", "key"),
    _one_of("state", "new", "done", "dead"),
    Index("ix_deliveries_waiting", "id", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
    Index(
        "ix_deliveries_claimed",
        "claim",
        "source",
        sqlite_where=text("claim IS NOT NULL"),
        postgresql_where=text("claim IS NOT NULL"),
    ),
    Index("ix_deliveries_source_received_at", "source", "received_at"),
    Index("ix_deliveries_settled_at", "settled_at"),
    Index(
        "ix_deliveries_with_body",  # retention looks every hour: not at what it has emptied before
        "settled_at",
        sqlite_where=text("state = 'done' AND body IS NOT NULL"),
        postgresql_where=text("state = 'done' AND body IS NOT NULL"),
    ),
    Index(
        "ix_deliveries_dead",
        "id",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
)

shelf = Table(
    "shelf",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("delivery_id", RowId, ForeignKey("deliveries.id"), nullable=False),
    Column("source", Key, nullable=False),
    Column("item_path", Text, nullable=False),  # $.entry[0].changes[2]; $ for the whole body
    Column("reason", Key, nullable=False),
    Column("detail", Text, nullable=False),
    Column("cure", Text, nullable=False),
    Column("state", Key, nullable=False, server_default="open"),
    Column("shelved_at", Millis, nullable=False),
    Column("settled_at", Millis),
    Column("settled_by", Text),
    UniqueConstraint("delivery_id", "item_path"),
    _one_of("state", "open", "replayed", "dropped"),
    Index(
        "ix_shelf_open",
        "source",
        "reason",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("network", Key, nullable=False),
    Column("scope", Key, nullable=False, server_default=""),
    Column("item", Key, nullable=False),  # item id, else event id, else the item's hash
    Column("kind", Key, nullable=False),
    Column("version", Key, nullable=False),  # edit time, else content hash
    Column("delivery_id", RowId, ForeignKey("deliveries.id")),
    Column("applied_at", Millis, nullable=False),
    UniqueConstraint("network", "scope", "item", "kind", "version"),
    Index("ix_events_delivery_id", "delivery_id"),
)
"""The events that were applied: the unique key makes each count exactly once, however often it is delivered."""

# People and accounts -------------------------------------------------------------------------------------------------

social_profiles = Table(
    "social_profiles",
    metadata,
    Column("id", Key, primary_key=True),
    Column("network", Key, nullable=False),
    Column("scope", Key, nullable=False, server_default=""),
    Column("external_id", Key),  # null for a handle known only from a consent record
    Column("handle", Text),
    Column("handle_key", Key),  # normalised per network
    Column("display_name", Text),
    Column("location", Text),
    Column("bio", Text),
    Column("followers", BigInteger),
    Column("verified", Boolean),
    Column("profile_url", Text),
    Column("kind", Key, nullable=False, server_default="person"),
    Column("status", Key, nullable=False, server_default="active"),
    Column("account_created_at", Millis),
    Column("described_at", Millis, nullable=False, server_default="0"),  # event time of the attributes above
    Column("attribute_times", Text, nullable=False, server_default="{}"),  # JSON: when each was told; newest stands
    Column("first_seen_at", Millis, nullable=False),
    Column("last_seen_at", Millis, nullable=False),
    Column("addresses", Text, nullable=False, server_default="{}"),  # JSON: told of the account apart from messages
    UniqueConstraint("network", "scope", "external_id"),
    Index(
        "uq_social_profiles_unbound_handle", "network", "scope", "handle_key", unique=True,
        sqlite_where=text("external_id IS NULL"), postgresql_where=text("external_id IS NULL"),
    ),
    Index("ix_social_profiles_handle_key", "network", "handle_key"),
    Index("ix_social_profiles_handle", "handle_key"),
    Index("ix_social_profiles_last_seen_at", "last_seen_at"),
    _one_of("kind", "person", "organisation", "shared", "brand"),
    _one_of("status", "active", "deleted", "suspended"),
)  # fmt: skip

profile_handles = Table(
    "profile_handles",
    metadata,
    Column("profile_id", Key, ForeignKey("social_profiles.id"), primary_key=True),
    Column("handle_key", Key, primary_key=True),
    Column("handle", Text, nullable=False),
    Column("first_seen_at", Millis, nullable=False),
    Column("last_seen_at", Millis, nullable=False),
)

crm_contacts = Table(
    "crm_contacts",
    metadata,
    Column("crm_id", Key, primary_key=True),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("mobile", Text),
    Column("city", Text),
    Column("state", Text),
    Column("country", Text),
    Column("account_name", Text),
    Column("is_deleted", Boolean, nullable=False, server_default=text("false")),
    Column("master_id", Key),
    Column("modified_at", Millis, nullable=False),
    Column("synced_at", Millis, nullable=False),
    Column("order_refs", Text),
    Index("ix_crm_contacts_email", "email"),
    Index("ix_crm_contacts_last_name", "last_name"),
    Index("ix_crm_contacts_phone", "phone"),
    Index("ix_crm_contacts_mobile", "mobile"),
    Index("ix_crm_contacts_master_id", "master_id"),
)

crm_users = Table(
    "crm_users",
    metadata,
    Column("crm_id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
)

# Cases ---------------------------------------------------------------------------------------------------------------

cases = Table(
    "cases",
    metadata,
    Column("id", Key, primary_key=True),
    Column("origin", Key, nullable=False),  # connector: born by webhook; crm: mirrored, never written
    Column("channel", Key, nullable=False),
    Column("network", Key, nullable=False),
    Column("source", Key),
    Column("scope", Key, nullable=False, server_default=""),
    Column("thread", Key, nullable=False, server_default=""),
    Column("profile_id", Key, ForeignKey("social_profiles.id")),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("parent_id", Key, ForeignKey("cases.id")),
    Column("visibility", Key),
    Column("subject", Text),
    Column("opened_at", Millis, nullable=False),
    Column("closed_at", Millis),
    Column("status", Text, nullable=False, server_default="New"),
    Column("owner_crm_id", Key),
    Column("priority", Text),
    Column("reopen_count", Integer, nullable=False, server_default="0"),
    Column("reopened_at", Millis),
    Column("reopened_from_at", Millis),  # the close that the last reopening undid
    Column("first_inbound_at", Millis),
    Column("first_response_at", Millis),
    Column("moved_to_private_at", Millis),
    Column("last_inbound_at", Millis),
    Column("last_outbound_at", Millis),
    Column("inbound_touches", Integer, nullable=False, server_default="0"),
    Column("outbound_touches", Integer, nullable=False, server_default="0"),
    Column("crm_id", Key, unique=True),
    Column("crm_number", Text),
    Column("crm_contact_id", Key),  # the CRM's own assertion, read from it; for our cases the value it shows now
    Column("crm_modified_at", Millis),
    Column("is_deleted", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("network", "scope", "thread", "profile_id", "sequence"),
    _one_of("origin", "connector", "crm"),
    Index(
        "ix_cases_open",
        "last_inbound_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index("ix_cases_profile_id", "profile_id"),
    Index("ix_cases_crm_contact_id", "crm_contact_id"),
    Index("ix_cases_opened_at", "opened_at"),
    Index(
        "ix_cases_first_inbound_at",  # all that first response counts: read without the table
        "first_inbound_at", "first_response_at", "channel", "network", "is_deleted",
    ),
    Index("ix_cases_network_opened_at", "network", "opened_at"),
    Index("ix_cases_crm_number", "crm_number"),
    Index(
        "ix_cases_inbox",  # the tabs' counts are read without the table
        "last_inbound_at", "id", "last_outbound_at", "channel", "network", "is_deleted",
        sqlite_where=text("closed_at IS NULL AND origin = 'connector'"),
        postgresql_where=text("closed_at IS NULL AND origin = 'connector'"),
    ),
)  # fmt: skip

DELETED = "state = 'deleted'"
LOOSE = "kind IS NOT NULL AND (case_id IS NULL OR (direction = 'outbound' AND customer_id IS NULL))"
"""Interactions whose case is still to be found, or follows from their parent or from who began the thread."""

interactions = Table(
    "interactions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("origin", Key, nullable=False),
    Column("case_id", Key, ForeignKey("cases.id")),  # null: the brand's own, or an edit or delete before its item
    Column("profile_id", Key, ForeignKey("social_profiles.id")),  # the customer's, also when the brand wrote
    Column("channel", Key, nullable=False),
    Column("network", Key, nullable=False),
    Column("source", Key),
    Column("scope", Key, nullable=False, server_default=""),
    Column("item_id", Key, nullable=False),
    Column("thread", Key, nullable=False, server_default=""),
    Column("parent_item_id", Key),
    Column("account_id", Key),
    Column("customer_id", Key),
    Column("kind", Key),  # null until the item itself has arrived
    Column("direction", Key),
    Column("author_role", Key),
    Column("author_name", Text),
    Column("visibility", Key),
    Column("occurred_at", Millis),
    Column("time_known", Boolean, nullable=False, server_default=text("true")),  # false: this is the arrival
    Column("received_at", Millis, nullable=False),
    Column("text", Text),
    Column("text_version", Key, nullable=False, server_default=""),  # orders edits; the greatest stands
    Column("lang", Text),
    Column("permalink", Text),
    Column("attachments", Text, nullable=False, server_default="[]"),
    Column("extra", Text, nullable=False, server_default="{}"),
    Column("extra_version", Key, nullable=False, server_default=""),  # as text_version, for what came with the item
    Column("delivery_status", Key),  # of the brand's own words: sent, delivered, read, failed; the furthest stands
    Column("duration_seconds", Integer),
    Column("state", Key, nullable=False, server_default="live"),
    Column("deleted_at", Millis),
    Column("reactions", Integer, nullable=False, server_default="0"),
    Column("reference", Key),  # call SID or Message-ID: joins the same call or mail seen by two senders
    Column("possible_duplicate", Boolean, nullable=False, server_default=text("false")),
    Column("crm_object", Key),  # Task, EmailMessage, ... for CRM-born ones
    Column("crm_id", Key),
    Column("crm_contact_id", Key),
    UniqueConstraint("network", "scope", "item_id"),
    _one_of("origin", "connector", "crm"),
    _one_of("state", "live", "deleted"),
    Index("ix_interactions_case_id", "case_id", "occurred_at"),
    Index("ix_interactions_profile_id", "profile_id", "occurred_at"),
    Index("ix_interactions_crm_contact_id", "crm_contact_id", "occurred_at"),
    Index(
        "ix_interactions_occurred_at",  # all that volume counts: read without the table
        "occurred_at", "case_id", "direction", "author_role", "kind", "channel", "network", "possible_duplicate",
    ),
    Index("ix_interactions_reference", "reference"),
    Index(
        "ix_interactions_loose", "network", "scope", "thread",
        sqlite_where=text(LOOSE), postgresql_where=text(LOOSE),
    ),
    Index("ix_interactions_deleted", "case_id", sqlite_where=text(DELETED), postgresql_where=text(DELETED)),
)  # fmt: skip

case_events = Table(
    "case_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", Key, ForeignKey("cases.id"), nullable=False),
    Column("type", Key, nullable=False),  # opened closed reopened owner_changed status_changed unlinked ...
    Column("at", Millis, nullable=False),
    Column("recorded_at", Millis, nullable=False),
    Column("actor", Text),
    Column("detail", Text, nullable=False, server_default="{}"),
    UniqueConstraint("case_id", "type", "at"),
)

# Consent -------------------------------------------------------------------------------------------------------------

notices = Table(
    "notices",
    metadata,
    Column("id", Key, primary_key=True),
    Column("version", Key, primary_key=True),
    Column("lang", Key, primary_key=True),
    Column("purposes", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", Key, nullable=False),
    Column("material", Boolean, nullable=False),
    Column("valid_from_at", Millis, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("id", Key, primary_key=True),
    Column("profile_id", Key, ForeignKey("social_profiles.id"), nullable=False),
    Column("contact_id", Key, nullable=False),  # 18-character Salesforce Id; follows merges
    Column("state", Key, nullable=False),
    Column("h", Integer, nullable=False),  # how strongly the account side is proven, 0-3
    Column("c", Integer, nullable=False),  # how strongly the contact side is proven, 0-3
    Column("role", Key, nullable=False, server_default="owner"),
    Column("asked_at", Millis, nullable=False),
    Column("answered_at", Millis),
    Column("ended_at", Millis),
    Column("cool_until_at", Millis),
    Column("method", Key),  # how the last answer reached us; null before there is one
    Column("by", Text, nullable=False),
    Index(
        "uq_links_live_pair", "profile_id", "contact_id", unique=True,
        sqlite_where=text("state IN ('asked', 'active')"), postgresql_where=text("state IN ('asked', 'active')"),
    ),
    Index("ix_links_contact_id", "contact_id"),
    Index("ix_links_profile_id", "profile_id"),
    _one_of(
        "state", "asked", "deferred", "active", "declined", "withdrawn", "expired", "revoked", "invalidated",
        "superseded", "erased",
    ),
    CheckConstraint("h BETWEEN 0 AND 3 AND c BETWEEN 0 AND 3", name="assurance_range"),
)  # fmt: skip

grants = Table(
    "grants",
    metadata,
    Column("link_id", Key, ForeignKey("links.id"), primary_key=True),
    Column("purpose", Key, primary_key=True),
    Column("seq", BigInteger, primary_key=True),  # the ledger entry that made it; the greatest stands
    Column("state", Key, nullable=False),
    Column("decided_at", Millis, nullable=False),  # when the customer said it, or when the clock or a rule did
    Column("notice_id", Key),
    Column("notice_version", Key),
    Column("granted_at", Millis),
    Column("expires_at", Millis),
    _one_of("state", "granted", "refused", "withdrawn", "expired", "stale", "narrowed"),
)

link_holds = Table(
    "link_holds",
    metadata,
    Column("link_id", Key, ForeignKey("links.id"), primary_key=True),
    Column("reason", Key, primary_key=True),
    Column("since_at", Millis, nullable=False),
    Column("review_by_at", Millis),
    Column("by", Text, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Millis, nullable=False),
    Column("type", Key, nullable=False),
    Column("link_id", Key),
    Column("idem", Key, unique=True),  # digest of the request's own key: the same request is written once
    Column("body", LargeBinary, nullable=False),  # canonical JSON, nothing personal in it
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256(0x00 || body): the Merkle leaf
    CheckConstraint("seq > 0", name="seq_positive"),
    Index("ix_ledger_link_id", "link_id"),
)
"""Append-only by trigger (store/triggers.py): neither UPDATE nor DELETE succeeds."""

subject_keys = Table(
    "subject_keys",
    metadata,
    Column("link_id", Key, ForeignKey("links.id"), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
)
"""One key per link for its evidence, wrapped by CONNECTOR_SECRET_KEY; deleting it shreds the evidence."""

evidence = Table(
    "evidence",
    metadata,
    Column("id", Key, primary_key=True),
    Column("link_id", Key, ForeignKey("links.id"), nullable=False),
    Column("kind", Key, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("recorded_at", Millis, nullable=False),
    Index("ix_evidence_link_id", "link_id"),
)

rejected_suggestions = Table(
    "rejected_suggestions",
    metadata,
    Column("profile_id", Key, ForeignKey("social_profiles.id"), primary_key=True),
    Column("contact_id", Key, primary_key=True),
    Column("rejected_at", Millis, nullable=False),
    Column("by", Text, nullable=False),
)

# Outbox and sync -----------------------------------------------------------------------------------------------------

OUTBOX_AHEAD = "state = 'pending' AND sent_ver = 0 AND (claim IS NOT NULL OR run_at > 0)"
"""Rows that later rows of the same parent wait for: first sendings that are under way or in back-off."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("object", Key, nullable=False),  # Social_Profile__c, Case, Channel_Interaction__c
    Column("external_key", Key, nullable=False),  # also the id of the profile, case or interaction it is built from
    Column("parent_key", Key),  # external key that must have been sent first: per-case order
    Column("rank", Integer, nullable=False),  # parents before children
    Column("ver", BigInteger, nullable=False, server_default="1"),
    Column("sent_ver", BigInteger, nullable=False, server_default="0"),
    Column("state", Key, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("touches", Integer, nullable=False, server_default="0"),
    Column("queued_at", Millis, nullable=False),
    Column("run_at", Millis, nullable=False, server_default="0"),
    Column("lease_until", Millis),
    Column("claim", Key),
    Column("first_failed_at", Millis),  # three days of failing make it dead
    Column("error_code", Key),
    Column("error", Text),
    Column("crm_id", Key),
    Column("sent_digest", Key),  # of the record last accepted: an equal one is not sent again
    Column("tried_contact_id", Key),  # in calls whose answer never came: the CRM may hold any (outbox.tried)
    Column("sent_contact_id", Key),  # the contact we last wrote: only our own value is ever taken back
    Column("told_reopens", Integer),  # reopenings told, each one act; null until the creation was first tried
    Column("settled_at", Millis),
    UniqueConstraint("external_key", "object"),  # this order: a parent is looked up by its key alone
    _one_of("state", "pending", "sent", "dead", "dropped"),
    CheckConstraint("sent_ver <= ver", name="never_ahead"),
    Index(
        "ix_outbox_waiting", "rank", "id",
        sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_outbox_claimed", "claim",
        sqlite_where=text("claim IS NOT NULL"), postgresql_where=text("claim IS NOT NULL"),
    ),
    Index(
        "ix_outbox_ahead", "parent_key", "id",
        sqlite_where=text(OUTBOX_AHEAD), postgresql_where=text(OUTBOX_AHEAD),
    ),
    Index(
        "ix_outbox_dead",
        "object",
        "error_code",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
    Index("ix_outbox_parent_key", "parent_key"),
    Index("ix_outbox_crm_id", "crm_id"),
)  # fmt: skip

crm_state = Table(
    "crm_state",
    metadata,
    Column("name", Key, primary_key=True),  # watermark:Contact, breaker, budget, login, contact_deletions ...
    Column("value", Text, nullable=False),  # JSON
    Column("changed_at", Millis, nullable=False),
)

# People who sign in, keys, idempotency, audit ------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Key, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Key, nullable=False),
    Column("crm_user_id", Key),
    Column("session_epoch", Integer, nullable=False, server_default="0"),  # raised to end every session of this user
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Millis, nullable=False),
    _one_of("role", "agent", "admin", "reporter", "privacy"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("token_hash", Key, nullable=False, unique=True),
    Column("hint", Text, nullable=False),  # the last four characters, for recognising it
    Column("role", Key, nullable=False),
    Column("created_at", Millis, nullable=False),
    Column("used_at", Millis),
    Column("revoked_at", Millis),
    _one_of("role", "agent", "admin", "reporter", "privacy", "ingest"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("principal", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("request_hash", Key, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Millis, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
)
"""The stored outcome of each keyed POST, refusals too: the same key gives the same answer."""

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("key", Key, primary_key=True),
    Column("window_at", Millis, primary_key=True),
    Column("count", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Millis, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Key, nullable=False),
    Column("object", Key, nullable=False),
    Column("object_id", Key, nullable=False),
    Column("detail", Text, nullable=False, server_default="{}"),  # ids, counts and enum values only
    Index("ix_audit_object", "object", "object_id"),
)
"""Append-only by trigger (store/triggers.py)."""

suggestion_tables = define_suggestion_tables(metadata)
refuse_changes(ledger, audit)

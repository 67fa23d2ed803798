"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")
TEXT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Applies it."""
    op.create_table(
        "api_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", KEY, nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "role IN ('agent', 'admin', 'reporter', 'privacy', 'ingest')", name=op.f("ck_api_keys_role_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
    )
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("object", KEY, nullable=False),
        sa.Column("object_id", KEY, nullable=False),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_object", "audit", ["object", "object_id"], unique=False)
    op.create_table(
        "crm_contacts",
        sa.Column("crm_id", KEY, nullable=False),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("mobile", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("master_id", KEY, nullable=True),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("crm_id", name=op.f("pk_crm_contacts")),
    )
    op.create_index("ix_crm_contacts_email", "crm_contacts", ["email"], unique=False)
    op.create_index("ix_crm_contacts_last_name", "crm_contacts", ["last_name"], unique=False)
    op.create_index("ix_crm_contacts_master_id", "crm_contacts", ["master_id"], unique=False)
    op.create_index("ix_crm_contacts_mobile", "crm_contacts", ["mobile"], unique=False)
    op.create_index("ix_crm_contacts_phone", "crm_contacts", ["phone"], unique=False)
    op.create_table(
        "crm_state",
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_crm_state")),
    )
    op.create_table(
        "crm_users",
        sa.Column("crm_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("crm_id", name=op.f("pk_crm_users")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("headers", sa.Text(), server_default="{}", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", KEY, server_default="new", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("touches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("claim", KEY, nullable=True),
        sa.Column("first_failed_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("duplicates", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("state IN ('new', 'done', 'dead')", name=op.f("ck_deliveries_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_deliveries_source_key")),
    )
    op.create_index(
        "ix_deliveries_claimed",
        "deliveries",
        ["claim", "source"],
        unique=False,
        sqlite_where=sa.text("claim IS NOT NULL"),
        postgresql_where=sa.text("claim IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index("ix_deliveries_settled_at", "deliveries", ["settled_at"], unique=False)
    op.create_index("ix_deliveries_source_received_at", "deliveries", ["source", "received_at"], unique=False)
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_table(
        "idempotency",
        sa.Column("principal", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("request_hash", KEY, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "installation",
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("idem", KEY, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("prev", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("ck_ledger_seq_positive")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
        sa.UniqueConstraint("idem", name=op.f("uq_ledger_idem")),
    )
    op.create_index("ix_ledger_link_id", "ledger", ["link_id"], unique=False)
    op.create_table(
        "login_attempts",
        sa.Column("key", KEY, nullable=False),
        sa.Column("window_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "window_at", name=op.f("pk_login_attempts")),
    )
    op.create_table(
        "notices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("lang", KEY, nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("material", sa.Boolean(), nullable=False),
        sa.Column("valid_from_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", "lang", name=op.f("pk_notices")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("object", KEY, nullable=False),
        sa.Column("external_key", KEY, nullable=False),
        sa.Column("parent_key", KEY, nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("ver", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("sent_ver", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", KEY, server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("touches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("claim", KEY, nullable=True),
        sa.Column("first_failed_at", sa.BigInteger(), nullable=True),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("crm_id", KEY, nullable=True),
        sa.Column("sent_digest", KEY, nullable=True),
        sa.Column("tried_contact_id", KEY, nullable=True),
        sa.Column("sent_contact_id", KEY, nullable=True),
        sa.Column("told_reopens", sa.Integer(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sent', 'dead', 'dropped')", name=op.f("ck_outbox_state_known")),
        sa.CheckConstraint("sent_ver <= ver", name=op.f("ck_outbox_never_ahead")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("external_key", "object", name=op.f("uq_outbox_external_key_object")),
    )
    op.create_index(
        "ix_outbox_ahead",
        "outbox",
        ["parent_key", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending' AND sent_ver = 0 AND (claim IS NOT NULL OR run_at > 0)"),
        postgresql_where=sa.text("state = 'pending' AND sent_ver = 0 AND (claim IS NOT NULL OR run_at > 0)"),
    )
    op.create_index(
        "ix_outbox_claimed",
        "outbox",
        ["claim"],
        unique=False,
        sqlite_where=sa.text("claim IS NOT NULL"),
        postgresql_where=sa.text("claim IS NOT NULL"),
    )
    op.create_index("ix_outbox_crm_id", "outbox", ["crm_id"], unique=False)
    op.create_index(
        "ix_outbox_dead",
        "outbox",
        ["object", "error_code"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index("ix_outbox_parent_key", "outbox", ["parent_key"], unique=False)
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["rank", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "social_profiles",
        sa.Column("id", KEY, nullable=False),
        sa.Column("network", KEY, nullable=False),
        sa.Column("scope", KEY, server_default="", nullable=False),
        sa.Column("external_id", KEY, nullable=True),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("handle_key", KEY, nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("bio", sa.Text(), nullable=True),
        sa.Column("followers", sa.BigInteger(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=True),
        sa.Column("profile_url", sa.Text(), nullable=True),
        sa.Column("kind", KEY, server_default="person", nullable=False),
        sa.Column("status", KEY, server_default="active", nullable=False),
        sa.Column("account_created_at", sa.BigInteger(), nullable=True),
        sa.Column("described_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attribute_times", sa.Text(), server_default="{}", nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('person', 'organisation', 'shared', 'brand')", name=op.f("ck_social_profiles_kind_known")
        ),
        sa.CheckConstraint(
            "status IN ('active', 'deleted', 'suspended')", name=op.f("ck_social_profiles_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_social_profiles")),
        sa.UniqueConstraint(
            "network", "scope", "external_id", name=op.f("uq_social_profiles_network_scope_external_id")
        ),
    )
    op.create_index("ix_social_profiles_handle", "social_profiles", ["handle_key"], unique=False)
    op.create_index("ix_social_profiles_handle_key", "social_profiles", ["network", "handle_key"], unique=False)
    op.create_index("ix_social_profiles_last_seen_at", "social_profiles", ["last_seen_at"], unique=False)
    op.create_index(
        "uq_social_profiles_unbound_handle",
        "social_profiles",
        ["network", "scope", "handle_key"],
        unique=True,
        sqlite_where=sa.text("external_id IS NULL"),
        postgresql_where=sa.text("external_id IS NULL"),
    )
    op.create_table(
        "suggestion_contact",
        sa.Column("ref", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_suggestion_contact")),
    )
    op.create_table(
        "suggestion_key",
        sa.Column("k", TEXT_KEY, nullable=False),
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("k", "ref", name=op.f("pk_suggestion_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "suggestion_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_suggestion_state")),
    )
    op.create_table(
        "suggestion_word",
        sa.Column("t", TEXT_KEY, nullable=False),
        sa.Column("family", sa.Integer(), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("t", name=op.f("pk_suggestion_word")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("crm_user_id", KEY, nullable=True),
        sa.Column("session_epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('agent', 'admin', 'reporter', 'privacy')", name=op.f("ck_users_role_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "cases",
        sa.Column("id", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("network", KEY, nullable=False),
        sa.Column("source", KEY, nullable=True),
        sa.Column("scope", KEY, server_default="", nullable=False),
        sa.Column("thread", KEY, server_default="", nullable=False),
        sa.Column("profile_id", KEY, nullable=True),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parent_id", KEY, nullable=True),
        sa.Column("visibility", KEY, nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), server_default="New", nullable=False),
        sa.Column("owner_crm_id", KEY, nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("reopen_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reopened_at", sa.BigInteger(), nullable=True),
        sa.Column("reopened_from_at", sa.BigInteger(), nullable=True),
        sa.Column("first_inbound_at", sa.BigInteger(), nullable=True),
        sa.Column("first_response_at", sa.BigInteger(), nullable=True),
        sa.Column("moved_to_private_at", sa.BigInteger(), nullable=True),
        sa.Column("last_inbound_at", sa.BigInteger(), nullable=True),
        sa.Column("last_outbound_at", sa.BigInteger(), nullable=True),
        sa.Column("inbound_touches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outbound_touches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("crm_id", KEY, nullable=True),
        sa.Column("crm_number", sa.Text(), nullable=True),
        sa.Column("crm_contact_id", KEY, nullable=True),
        sa.Column("crm_modified_at", sa.BigInteger(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("origin IN ('connector', 'crm')", name=op.f("ck_cases_origin_known")),
        sa.ForeignKeyConstraint(["parent_id"], ["cases.id"], name=op.f("fk_cases_parent_id")),
        sa.ForeignKeyConstraint(["profile_id"], ["social_profiles.id"], name=op.f("fk_cases_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("crm_id", name=op.f("uq_cases_crm_id")),
        sa.UniqueConstraint(
            "network",
            "scope",
            "thread",
            "profile_id",
            "sequence",
            name=op.f("uq_cases_network_scope_thread_profile_id_sequence"),
        ),
    )
    op.create_index("ix_cases_crm_contact_id", "cases", ["crm_contact_id"], unique=False)
    op.create_index("ix_cases_crm_number", "cases", ["crm_number"], unique=False)
    op.create_index(
        "ix_cases_first_inbound_at",
        "cases",
        ["first_inbound_at", "first_response_at", "channel", "network", "is_deleted"],
        unique=False,
    )
    op.create_index(
        "ix_cases_inbox",
        "cases",
        ["last_inbound_at", "id", "last_outbound_at", "channel", "network", "is_deleted"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL AND origin = 'connector'"),
        postgresql_where=sa.text("closed_at IS NULL AND origin = 'connector'"),
    )
    op.create_index("ix_cases_network_opened_at", "cases", ["network", "opened_at"], unique=False)
    op.create_index(
        "ix_cases_open",
        "cases",
        ["last_inbound_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_cases_opened_at", "cases", ["opened_at"], unique=False)
    op.create_index("ix_cases_profile_id", "cases", ["profile_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("network", KEY, nullable=False),
        sa.Column("scope", KEY, server_default="", nullable=False),
        sa.Column("item", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("delivery_id", ROW_ID, nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_events_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "network", "scope", "item", "kind", "version", name=op.f("uq_events_network_scope_item_kind_version")
        ),
    )
    op.create_table(
        "links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("profile_id", KEY, nullable=False),
        sa.Column("contact_id", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("h", sa.Integer(), nullable=False),
        sa.Column("c", sa.Integer(), nullable=False),
        sa.Column("role", KEY, server_default="owner", nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("cool_until_at", sa.BigInteger(), nullable=True),
        sa.Column("method", KEY, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'deferred', 'active', 'declined', 'withdrawn', 'expired', 'revoked', 'invalidated', 'superseded', 'erased')",
            name=op.f("ck_links_state_known"),
        ),
        sa.CheckConstraint("h BETWEEN 0 AND 3 AND c BETWEEN 0 AND 3", name=op.f("ck_links_assurance_range")),
        sa.ForeignKeyConstraint(["profile_id"], ["social_profiles.id"], name=op.f("fk_links_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_index("ix_links_contact_id", "links", ["contact_id"], unique=False)
    op.create_index("ix_links_profile_id", "links", ["profile_id"], unique=False)
    op.create_index(
        "uq_links_live_pair",
        "links",
        ["profile_id", "contact_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('asked', 'active')"),
        postgresql_where=sa.text("state IN ('asked', 'active')"),
    )
    op.create_table(
        "profile_handles",
        sa.Column("profile_id", KEY, nullable=False),
        sa.Column("handle_key", KEY, nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["social_profiles.id"], name=op.f("fk_profile_handles_profile_id")),
        sa.PrimaryKeyConstraint("profile_id", "handle_key", name=op.f("pk_profile_handles")),
    )
    op.create_table(
        "rejected_suggestions",
        sa.Column("profile_id", KEY, nullable=False),
        sa.Column("contact_id", KEY, nullable=False),
        sa.Column("rejected_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["social_profiles.id"], name=op.f("fk_rejected_suggestions_profile_id")
        ),
        sa.PrimaryKeyConstraint("profile_id", "contact_id", name=op.f("pk_rejected_suggestions")),
    )
    op.create_table(
        "shelf",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("delivery_id", ROW_ID, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("item_path", sa.Text(), nullable=False),
        sa.Column("reason", KEY, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("cure", sa.Text(), nullable=False),
        sa.Column("state", KEY, server_default="open", nullable=False),
        sa.Column("shelved_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'replayed', 'dropped')", name=op.f("ck_shelf_state_known")),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_shelf_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf")),
        sa.UniqueConstraint("delivery_id", "item_path", name=op.f("uq_shelf_delivery_id_item_path")),
    )
    op.create_index(
        "ix_shelf_open",
        "shelf",
        ["source", "reason"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "case_events",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_events_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
        sa.UniqueConstraint("case_id", "type", "at", name=op.f("uq_case_events_case_id_type_at")),
    )
    op.create_table(
        "evidence",
        sa.Column("id", KEY, nullable=False),
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_evidence_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_link_id", "evidence", ["link_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("purpose", KEY, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", KEY, nullable=True),
        sa.Column("notice_version", KEY, nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('granted', 'refused', 'withdrawn', 'expired', 'stale', 'narrowed')",
            name=op.f("ck_grants_state_known"),
        ),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_grants_link_id")),
        sa.PrimaryKeyConstraint("link_id", "purpose", "seq", name=op.f("pk_grants")),
    )
    op.create_table(
        "interactions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=True),
        sa.Column("profile_id", KEY, nullable=True),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("network", KEY, nullable=False),
        sa.Column("source", KEY, nullable=True),
        sa.Column("scope", KEY, server_default="", nullable=False),
        sa.Column("item_id", KEY, nullable=False),
        sa.Column("thread", KEY, server_default="", nullable=False),
        sa.Column("parent_item_id", KEY, nullable=True),
        sa.Column("account_id", KEY, nullable=True),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("kind", KEY, nullable=True),
        sa.Column("direction", KEY, nullable=True),
        sa.Column("author_role", KEY, nullable=True),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("visibility", KEY, nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("time_known", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("text_version", KEY, server_default="", nullable=False),
        sa.Column("lang", sa.Text(), nullable=True),
        sa.Column("permalink", sa.Text(), nullable=True),
        sa.Column("attachments", sa.Text(), server_default="[]", nullable=False),
        sa.Column("extra", sa.Text(), server_default="{}", nullable=False),
        sa.Column("extra_version", KEY, server_default="", nullable=False),
        sa.Column("delivery_status", KEY, nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("state", KEY, server_default="live", nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("reactions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reference", KEY, nullable=True),
        sa.Column("possible_duplicate", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("crm_object", KEY, nullable=True),
        sa.Column("crm_id", KEY, nullable=True),
        sa.Column("crm_contact_id", KEY, nullable=True),
        sa.CheckConstraint("origin IN ('connector', 'crm')", name=op.f("ck_interactions_origin_known")),
        sa.CheckConstraint("state IN ('live', 'deleted')", name=op.f("ck_interactions_state_known")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_interactions_case_id")),
        sa.ForeignKeyConstraint(["profile_id"], ["social_profiles.id"], name=op.f("fk_interactions_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interactions")),
        sa.UniqueConstraint("network", "scope", "item_id", name=op.f("uq_interactions_network_scope_item_id")),
    )
    op.create_index("ix_interactions_case_id", "interactions", ["case_id", "occurred_at"], unique=False)
    op.create_index("ix_interactions_crm_contact_id", "interactions", ["crm_contact_id", "occurred_at"], unique=False)
    op.create_index(
        "ix_interactions_loose",
        "interactions",
        ["network", "scope", "thread"],
        unique=False,
        sqlite_where=sa.text(
            "kind IS NOT NULL AND (case_id IS NULL OR (direction = 'outbound' AND customer_id IS NULL))"
        ),
        postgresql_where=sa.text(
            "kind IS NOT NULL AND (case_id IS NULL OR (direction = 'outbound' AND customer_id IS NULL))"
        ),
    )
    op.create_index(
        "ix_interactions_occurred_at",
        "interactions",
        ["occurred_at", "case_id", "direction", "author_role", "kind", "channel", "network", "possible_duplicate"],
        unique=False,
    )
    op.create_index("ix_interactions_profile_id", "interactions", ["profile_id", "occurred_at"], unique=False)
    op.create_index("ix_interactions_reference", "interactions", ["reference"], unique=False)
    op.create_table(
        "link_holds",
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("reason", KEY, nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("review_by_at", sa.BigInteger(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_link_holds_link_id")),
        sa.PrimaryKeyConstraint("link_id", "reason", name=op.f("pk_link_holds")),
    )
    op.create_table(
        "subject_keys",
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_subject_keys_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_subject_keys")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        op.execute(
            "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    else:
        op.execute(
            "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
        )
        op.execute(
            "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )

"""Retention finds by an index; append-only tables cannot be emptied on PostgreSQL; contacts keep order numbers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.create_index(
        "ix_deliveries_with_body",
        "deliveries",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("state = 'done' AND body IS NOT NULL"),
        postgresql_where=sa.text("state = 'done' AND body IS NOT NULL"),
    )
    op.add_column("crm_contacts", sa.Column("order_refs", sa.Text()))
    op.create_index("ix_events_delivery_id", "events", ["delivery_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        for table in ("audit", "ledger"):
            op.execute(
                f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )

"""Profiles keep the addresses and numbers that senders tell of them apart from messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column("social_profiles", sa.Column("addresses", sa.Text(), nullable=False, server_default="{}"))

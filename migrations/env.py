"""Runs the migrations inside the transaction that ``connector.store.migrate`` opened, on its connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

attributes = context.config.attributes


def on_version_apply(
    ctx: MigrationContext,  # noqa: ARG001  # Alembic calls it by these names
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001
    run_args: Mapping[str, Any],  # noqa: ARG001
) -> None:
    """Tells the caller which revision is through."""
    attributes["on_step"](str(step.up_revision_id))


# SQLite can roll back DDL: with this flag Alembic leaves the transaction to the caller there too.
context.configure(connection=attributes["connection"], transactional_ddl=True, on_version_apply=on_version_apply)
with context.begin_transaction():
    context.run_migrations()

"""Drafts the next migration from the difference between the newest migration and ``connector.store.tables``.

    python -m migrations.draft "words that say what changes"
    python -m migrations.draft --again     writes 0001 anew; only while no release has landed it

What it writes is explicit and frozen: read it, complete what Alembic cannot see (CHECKs, partial indexes, triggers on
existing tables, data), and let tests/contract/test_schema.py compare the dumped DDL on both databases.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from connector.store.migrate import head_revision, migrate
from connector.store.tables import metadata
from connector.store.triggers import POSTGRES_FUNCTION, trigger_statements
from connector.store.unit_of_work import open_store

VERSIONS = Path(__file__).resolve().parent / "versions"
HEAD = '''"""{words}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent}
branch_labels = None
depends_on = None

KEY = {KEY}
TEXT_KEY = {TEXT_KEY}
ROW_ID = {ROW_ID}


def upgrade() -> None:
    """Applies it."""
'''
TYPES = {
    "KEY": "sa.String().with_variant(sa.TEXT(collation='C'), 'postgresql')",
    "TEXT_KEY": "sa.Text().with_variant(sa.Text(collation='C'), 'postgresql')",
    "ROW_ID": "sa.BigInteger().with_variant(sa.Integer(), 'sqlite')",
}
APPEND_ONLY = ("ledger", "audit")


def draft(words: str, *, again: bool = False) -> Path:
    """The file that was written: the next migration, or the first one anew."""
    parent = None if again else head_revision()
    revision = f"{int(parent or 0) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/draft.db")
        if parent:
            migrate(store)
        with store.begin() as uow:
            context = MigrationContext.configure(uow.connection)
            operations = produce_migrations(context, metadata).upgrade_ops
        store.close()
    if operations is None:
        raise SystemExit("Nothing differs.")
    code = render_python_code(operations)
    for name, written in TYPES.items():
        code = code.replace(written, name)
    body = "\n".join(
        f"    {line.strip()}" for line in code.splitlines() if line.strip() and not line.strip().startswith("#")
    )
    if again:
        body += "\n" + _triggers()
    path = VERSIONS / f"{revision}_{re.sub(r'[^a-z0-9]+', '_', words.lower()).strip('_')}.py"
    head = HEAD.format(words=words, revision=revision, parent=f'"{parent}"' if parent else None, **TYPES)
    path.write_text(f"{head}{body}\n", encoding="utf-8")
    return path


def _triggers() -> str:
    lines = ['if op.get_bind().dialect.name == "postgresql":', f"    op.execute({POSTGRES_FUNCTION!r})"]
    lines += [f"    op.execute({each!r})" for table in APPEND_ONLY for each in trigger_statements(table, "postgresql")]
    lines += ["else:"]
    lines += [f"    op.execute({each!r})" for table in APPEND_ONLY for each in trigger_statements(table, "sqlite")]
    return "\n".join(f"    {line}" for line in lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--again"]:
        sys.stdout.write(f"{draft('The first schema', again=True)}\n")
    elif len(sys.argv) == 2:
        sys.stdout.write(f"{draft(sys.argv[1])}\n")
    else:
        raise SystemExit(__doc__)

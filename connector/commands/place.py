"""A context for the length of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connector.composition import build_context
from connector.flows.context import Context
from connector.settings import load_settings


@contextmanager
def here() -> Iterator[Context]:
    """The context of this process's settings; closed at the end. Raises Misconfigured as the settings deserve."""
    ctx = build_context(load_settings())
    try:
        yield ctx
    finally:
        ctx.store.close()

"""Takes a generic social case that came by the API: stored as a delivery of the source ``api``, worked on later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from connector.domain.events import to_millis
from connector.errors import Misconfigured, PayloadTooLarge
from connector.flows.context import Context
from connector.flows.sources import Source
from connector.mapping.source import SourceMapping
from connector.store.accept import GroupCommit, NewDelivery

SOURCE = "api"
MAPPING = "social_case"


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission: its delivery key, and whether the same was there before."""

    key: str
    duplicate: bool


def own_source(mappings: Mapping[str, SourceMapping]) -> Source:
    """The source that submissions belong to; it has no secret, so its webhook address takes nothing."""
    return Source(SOURCE, mappings[MAPPING])


class Submitter:
    """Stores submissions durably, from any number of threads; ``on_stored`` hears of each new one."""

    def __init__(self, ctx: Context, on_stored: Callable[[], None] | None = None) -> None:
        self._ctx = ctx
        self._commit = GroupCommit(ctx.store)
        self._on_stored = on_stored

    def submit(self, body: bytes) -> Submitted:
        """The submission as stored; it is on disk when this returns.

        Raises Misconfigured where no source ``api`` is set up, PayloadTooLarge, or StoreBusy.
        """
        source = self._ctx.sources.get(SOURCE)
        if source is None:
            raise Misconfigured("The source `api` is not set up, so nothing can be taken; `connector check` says more.")
        if len(body) > source.cap:
            raise PayloadTooLarge
        key = sha256(body).hexdigest()
        delivery = NewDelivery(
            source=SOURCE,
            key=key,
            received_at=to_millis(self._ctx.clock()),
            body=body,
            content_type="application/json",
            headers=json.dumps({}),
        )
        stored = self._commit.accept(delivery)
        if stored and self._on_stored is not None:
            self._on_stored()
        return Submitted(key, duplicate=not stored)

    def close(self) -> None:
        """Gives back the store's connections."""
        self._commit.close()

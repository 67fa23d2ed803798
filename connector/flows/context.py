"""What a flow works with, gathered once by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from connector.domain.clock import Clock
from connector.store.unit_of_work import Store

if TYPE_CHECKING:
    from connector.crm.port import CRM
    from connector.flows.sources import Source
    from connector.mapping.channels import ChannelRegister
    from connector.mapping.crm import CrmMapping
    from connector.mapping.purposes import ConsentRegistry


@dataclass(frozen=True, slots=True)
class Context:
    """The store, the clock, the mappings and the CRM of this process.

    ``namespace`` is the installation's UUID, from which ids and external keys are derived; ``secret_key`` wraps the
    keys of the evidence vault; ``crm`` is None where no CRM is configured (writes then wait in the outbox), and
    ``crm_mapping`` says which value goes into which of its fields. ``known_share`` is the share of writers who are in
    the CRM, where somebody set it.
    """

    store: Store
    clock: Clock
    namespace: UUID
    sources: Mapping[str, Source]
    channels: ChannelRegister
    consent: ConsentRegistry
    secret_key: str = field(repr=False)
    public_url: str
    crm: CRM | None = None
    crm_share: float = 0.2
    inbox_cap: int = 100_000
    company: str = ""
    crm_mapping: CrmMapping | None = None
    known_share: float | None = None

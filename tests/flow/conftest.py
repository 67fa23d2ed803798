"""An org and a connector beside it, for the flow tests of the CRM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import TestOrg, running_org
from tests.flow.crm_desk import CrmDesk, crm_desk


@pytest.fixture
def org() -> Iterator[TestOrg]:
    """A fresh sandbox org with the connector's package."""
    with running_org() as org:
        yield org


@pytest.fixture
def crm(store: Store, clock: FakeClock, org: TestOrg) -> CrmDesk:
    """A connector on SQLite beside a fresh org."""
    return crm_desk(store, clock, org)

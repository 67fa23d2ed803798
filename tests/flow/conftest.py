"""An org and a connector beside it, for the flow tests of the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import TestOrg, gateway_to, running_org
from tests.flow.crm_desk import CrmDesk, crm_desk


@pytest.fixture(scope="session")
def shared_org() -> Iterator[TestOrg]:
    """One org for all tests of this process; starting one takes longer than most tests."""
    with running_org() as org:
        yield org


@pytest.fixture
def org(shared_org: TestOrg) -> Iterator[TestOrg]:
    """An org without any record but its people, with the connector's package, and a gateway of this test's own."""
    shared_org.empty()
    gateway = gateway_to(shared_org.url)
    yield replace(shared_org, gateway=gateway)
    gateway.close()


@pytest.fixture
def crm(store: Store, clock: FakeClock, org: TestOrg) -> CrmDesk:
    """A connector on SQLite beside a fresh org."""
    return crm_desk(store, clock, org)


@pytest.fixture
def person(crm: CrmDesk) -> str:
    """A contact with an account, as people keep them."""
    assert crm.org is not None
    account = crm.org.create("Account", Name="Riverbend")
    return crm.person(
        FirstName="Ada", LastName="Field", Email="ada@example.com", Phone="+1 415 555 2671", AccountId=account
    )

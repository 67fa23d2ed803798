"""A login that the org refuses: writing and reading pause, with a sentence for the admin, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.errors import CrmLoginFailed
from connector.flows.sync import sync_when_due
from connector.flows.writeback import drain_once
from connector.store.crm_state import read_state
from tests.flow.crm_desk import PROFILE, CrmDesk


@pytest.fixture
def locked_out(crm: CrmDesk, monkeypatch: pytest.MonkeyPatch) -> CrmDesk:
    """A connector with something to write whose secret was replaced in the org."""
    assert crm.org is not None
    crm.account("ada")
    org = crm.org.server.org
    monkeypatch.setattr(org, "config", replace(org.config, client_secret="a new one"))
    return crm


def test_a_refused_login_pauses_writing_with_a_sentence_and_is_not_tried_by_every_batch(locked_out: CrmDesk) -> None:
    report = drain_once(locked_out.ctx, flush=True)
    assert (report.sent, report.dead) == (0, 0)
    assert report.wait_until is not None
    with locked_out.store.read() as connection:
        breaker = read_state(connection, "writeback")["breaker"]
    assert breaker["why"] == "login"
    assert "CONNECTOR_CRM_CLIENT_SECRET" in breaker["message"]
    assert locked_out.ctx.crm is not None
    logins = locked_out.ctx.crm.calls().logins
    for _ in range(3):
        assert drain_once(locked_out.ctx, flush=True).is_idle
    assert locked_out.ctx.crm.calls().logins == logins


def test_a_refused_login_is_what_the_last_reading_ended_in(locked_out: CrmDesk) -> None:
    with pytest.raises(CrmLoginFailed, match="CONNECTOR_CRM_CLIENT_SECRET"):
        sync_when_due(locked_out.ctx)
    with locked_out.store.read() as connection:
        assert read_state(connection, "reading")["code"] == "crm_login_failed"


def test_once_the_org_takes_the_secret_again_everything_goes_out(
    locked_out: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locked_out.org is not None
    drain_once(locked_out.ctx, flush=True)
    org = locked_out.org.server.org
    monkeypatch.setattr(org, "config", replace(org.config, client_secret="sandbox-secret"))
    locked_out.hurry()
    assert locked_out.send().sent == 3
    assert {obj for obj, _ in locked_out.held()} >= {PROFILE}

"""The rules that keep contacts behind the gate, read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.consent import Assurance, LinkState
from connector.domain.links import ConsentRecord, Link, Permit

ROOT = Path(__file__).resolve().parent.parent.parent / "connector"
MODULES = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}
NOW = datetime(2026, 2, 2, tzinfo=UTC)


def calls_of(name: str) -> Iterator[str]:
    """Every place that calls a function or class of this name."""
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == name:
                    yield module


@pytest.mark.parametrize(
    ("name", "callers"),
    [
        ("issue_permit", ["flows/access.py"]),
        ("Permit", ["domain/links.py"]),
        ("Link", ["flows/access.py"]),
        ("ConsentRecord", ["flows/access.py"]),
        ("insert_grants", ["flows/consent/acts.py"]),
        ("insert_link", ["flows/consent/acts.py"]),
        ("update_link", ["flows/consent/acts.py", "flows/consent/merging.py"]),
    ],
)
def test_what_joins_an_account_and_a_contact_is_made_in_one_place(name: str, callers: list[str]) -> None:
    assert sorted(calls_of(name)) == callers


MAY_NAME_THE_FIELD = ("crm/", "mapping/", "flows/projection.py", "flows/access.py", "flows/sync/", "demo/")
"""The CRM's wire, the mappings, the projection behind the gate, what reads the CRM's own word, and the invented org."""


def test_the_crms_contact_fields_are_named_only_behind_the_gate() -> None:
    found = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value in ("ContactId", "Contact__c") and not module.startswith(MAY_NAME_THE_FIELD)
    }
    assert found == set()


WRITES_CONSENT = ("store/consent.py", "store/ledger.py", "store/vault.py", "store/notices.py")
CONSENT_TABLES = {"links", "grants", "link_holds", "ledger", "evidence", "subject_keys", "notices"}


def test_consent_tables_are_written_only_by_their_own_modules() -> None:
    writing = {"insert", "update", "delete"}
    found = {
        (module, argument.id)
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in writing
        for argument in node.args
        if isinstance(argument, ast.Name) and argument.id in CONSENT_TABLES and module not in WRITES_CONSENT
    }
    assert found == set()


def test_a_link_cannot_be_made_without_its_consent_record() -> None:
    with pytest.raises(TypeError, match="ConsentRecord"):
        Link("lnk", "profile", "contact", LinkState.ACTIVE, Assurance(1, 1), None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="entry of the ledger"):
        ConsentRecord(0, "phone", "1", frozenset({"service"}))


def test_nobody_makes_a_permit_by_hand() -> None:
    with pytest.raises(TypeError, match="only the gate"):
        Permit("profile", "contact", "crm.case.attach", "service", "lnk", NOW, object())

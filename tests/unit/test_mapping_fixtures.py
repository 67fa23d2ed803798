"""Every fixture becomes exactly the events that stand beside it: one payload a condition, for each shipped mapping."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connector.domain.channels import DELETES, EDITS, Kind
from connector.mapping.loader import load_mappings
from connector.mapping.normalise import Normalised
from connector.mapping.source import SourceMapping
from connector.mapping.tryout import content_type_of
from tests.corpus import CORPUS, ROOT, corpus_json, needs_corpus

FIXTURES = ROOT / "tests" / "fixtures"
BODIES = sorted(
    path
    for path in FIXTURES.glob("*/*__*.*")
    if not path.name.endswith((".expected.json", ".headers.json"))
    and (ROOT / "mappings/sources" / f"{path.parent.name}.yml").is_file()
)
CONDITIONS = ("new item", "edit", "deletion", "echo", "bad item", "batch", "unknown kind")


@cache
def mappings() -> dict[str, SourceMapping]:
    return load_mappings(ROOT / "mappings")


def beside(path: Path, name: str, default: Any) -> Any:
    sidecar = path.parent / name
    return json.loads(sidecar.read_text("utf-8")) if sidecar.is_file() else default


def normalised(path: Path) -> Normalised:
    stem = path.name.rpartition(".")[0]
    headers = beside(path, f"{stem}.headers.json", {})
    content_type = headers.get("content-type") or content_type_of(path)
    return mappings()[path.parent.name].normalise(
        path.read_bytes(), headers, content_type, beside(path, "accounts.json", [])
    )


def compact(value: Any) -> Any:
    """The value without what is absent, as the fixtures are written."""
    if isinstance(value, dict):
        small = {key: compact(each) for key, each in value.items()}
        return {key: each for key, each in small.items() if each not in (None, "", [], {})}
    return [compact(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_payload_becomes_the_events_beside_it(path: Path) -> None:
    result = normalised(path)
    beside_it = path.with_name(path.name.rpartition(".")[0] + ".expected.json")
    assert beside_it.is_file(), f"`connector mappings try {path.parent.name} {path.name} --expected` makes it"
    expected = json.loads(beside_it.read_text("utf-8"))
    assert [compact(event.as_dict()) for event in result.events] == expected["events"]
    failures = [{"path": each.path, "code": each.code} for each in result.failures]
    assert failures == expected.get("failures", [])
    assert all(each.reason.endswith(".") and each.cure.endswith(".") for each in result.failures)


def conditions(expected: dict[str, Any]) -> set[str]:
    """Which of the conditions a fixture shows."""
    kinds = [(Kind(each["kind"]), each["direction"]) for each in expected["events"]]
    found = {"edit" for kind, _ in kinds if kind in EDITS} | {"deletion" for kind, _ in kinds if kind in DELETES}
    plain = [(kind, way) for kind, way in kinds if kind not in {*EDITS, *DELETES, Kind.UNKNOWN, Kind.IGNORE}]
    found |= {"new item" for _, way in plain if way == "inbound"} | {"echo" for _, way in plain if way == "outbound"}
    found |= {"unknown kind"} if (Kind.UNKNOWN in {kind for kind, _ in kinds}) else set()
    if expected.get("failures"):
        found |= {"bad item"} | ({"batch"} if any(kind is not Kind.UNKNOWN for kind, _ in kinds) else set())
    return found


def never_told() -> dict[str, set[str]]:
    """What a sender has no body for, as docs/adding-a-source.md says."""
    text = (ROOT / "docs" / "adding-a-source.md").read_text("utf-8")
    table = text.partition("## What senders never tell")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for names, lacks in re.findall(r"^\| (`.+`) \| (.+) \|$", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            found[name] = set(lacks.split(", "))
    return found


@pytest.mark.parametrize("name", sorted({path.parent.name for path in BODIES}))
def test_a_shipped_mapping_has_a_fixture_for_every_condition_that_its_sender_can_tell(name: str) -> None:
    expected = [json.loads(path.read_text("utf-8")) for path in (FIXTURES / name).glob("*.expected.json")]
    shown = set().union(*(conditions(each) for each in expected))
    lacking, wanted = never_told().get(name, set()), set(CONDITIONS) - shown
    assert wanted == lacking, (
        f"no fixture of {name} shows {', '.join(sorted(wanted - lacking)) or 'less'}: add one, or say what the sender "
        f"never tells in docs/adding-a-source.md, where now stands: {', '.join(sorted(lacking)) or 'nothing'}"
    )
    assert len(expected) >= 6 or name == "meta_privacy", "its one request has two conditions"


def test_every_shipped_mapping_has_a_fixture() -> None:
    assert {path.parent.name for path in BODIES} >= set(mappings())


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_failure_repeats_what_a_person_wrote(path: Path) -> None:
    for failure in normalised(path).failures:
        text = f"{failure.reason} {failure.cure}"
        assert not any(word in text for word in ("Mara", "mara", "Lindqvist", "4670", "@mail", "7781"))


def test_livechat_s_secret_reaches_no_event() -> None:
    for path in BODIES:
        if path.parent.name == "livechat":
            assert "do-not-keep" not in json.dumps([event.as_dict() for event in normalised(path).events])


# --- the public sample bodies ----------------------------------------------------------------------------------------

BY_FILE = {
    "standard_webhooks/contact_created.json": "social_case",
    "email/postmark_inbound.json": "postmark",
    "email/mailgun_inbound.form": "mailgun",
    "email/ses_sns_receipt.json": "ses",
    "twilio/voice_status_completed.form": "twilio_voice",
    "twilio/message_status_delivered.form": "twilio_sms",
    "twilio/sms_inbound_whatsapp_text.form": "twilio_sms",
    "meta/data_deletion_request.form": "meta_privacy",
    "blog_comments/blogger_comments.atom.xml": "blogger",
}
ROWS = corpus_json("expected.json")
FLAT = {
    "brand_account_id": "account_id",
    "author_id": "author.external_id",
    "handle": "author.handle",
    "display_name": "author.display_name",
}
SAYS_WHAT_IS_LEFT_OUT = "x_contains_pii"


def value_of(event: dict[str, Any], name: str) -> Any:
    if name == "attachments":
        return len(event["attachments"])
    if name.startswith("x_"):
        return event["extra"].get(name.removeprefix("x_"))
    outer, _, inner = FLAT.get(name, name).partition(".")
    return event[outer][inner] if inner else event[outer]


@needs_corpus
@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_every_public_sample_becomes_the_expected_events(row: dict[str, Any]) -> None:
    mapping = mappings()[BY_FILE.get(row["file"], row["file"].partition("/")[0])]
    result = mapping.normalise((CORPUS / row["file"]).read_bytes(), row["headers"], row["content_type"])
    assert result.failures == []
    got = [
        {name: value_of(event.as_dict(), name) for name in wanted}
        for event, wanted in zip(result.events, row["events"], strict=True)
    ]
    assert got == [
        {**wanted, **({SAYS_WHAT_IS_LEFT_OUT: None} if SAYS_WHAT_IS_LEFT_OUT in wanted else {})}
        for wanted in row["events"]
    ]

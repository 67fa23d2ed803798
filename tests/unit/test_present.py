"""How the pages call things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.web import present


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"network": "x", "handle": "mara", "display_name": "Mara"}, "@mara"),
        ({"network": "email", "handle": "mara@harbour.example", "display_name": "Mara"}, "mara@harbour.example"),
        ({"network": "whatsapp", "handle": "4915555033110", "display_name": None}, "4915555033110"),
        ({"network": "phone", "handle": None, "display_name": None, "external_id": "+12065550173"}, "+12065550173"),
        (
            {"network": "messenger", "handle": None, "display_name": None, "external_id": "7700123344821"},
            "M account …344821",
        ),
        ({"network": "messenger", "handle": None, "display_name": None, "external_id": "77"}, "M account 77"),
        ({"network": "messenger", "handle": None, "display_name": None, "external_id": None}, "M account"),
        ({"network": "facebook", "handle": None, "display_name": "Sam", "external_id": "66"}, "Sam"),
    ],
)
def test_an_account_is_called_by_what_a_person_would_call_it(row: dict[str, str | None], shown: str) -> None:
    assert present.account({"external_id": None, **row}, "M") == shown


@pytest.mark.parametrize(
    ("taken", "shown"),
    [
        ("ma\u200bra", "@ma␣ra"),
        ("mara\u202egro.knab", "@mara␣gro.knab"),
        ("\u2066mara", "@␣mara"),
        ("mara\u3164", "@mara␣"),
        ("نورالدين_خدمة", "@نورالدين_خدمة"),
        ("🦊fox", "@🦊fox"),
    ],
)
def test_a_handle_that_only_looks_like_another_is_told_apart(taken: str, shown: str) -> None:
    """What nobody sees, or turns the writing round, is made visible: an agent reads handles back to customers."""
    assert present.handle(taken) == shown


def test_a_message_of_an_older_day_keeps_its_hour() -> None:
    """Who reads a conversation wants to know how long the answer took, not on which day it all happened."""
    now = datetime(2026, 2, 2, 12, tzinfo=UTC)
    presenter = present.Presenter(lambda: now, ZoneInfo("Europe/Oslo"), {})
    older = datetime(2026, 1, 28, 7, 5, tzinfo=UTC)
    assert (presenter.ago(older), presenter.ago(older, clock=True)) == ("28 Jan", "28 Jan 08:05")
    assert presenter.ago(now - timedelta(minutes=5), clock=True) == "5 min ago"
    assert presenter.ago(datetime(2025, 11, 3, 9, tzinfo=UTC), clock=True) == "3 Nov 2025 10:00"


def test_a_shown_name_turns_nothing_round_and_is_never_empty() -> None:
    """A display name is its owner's to choose; emoji and joiners in it stay as they are."""
    row = {"network": "facebook", "handle": None, "external_id": "66"}
    assert present.account({**row, "display_name": "Sam\u202emas"}, "Facebook") == "Sammas"
    assert present.account({**row, "display_name": "👩\u200d🚀 Ada"}, "Facebook") == "👩\u200d🚀 Ada"
    assert present.account({**row, "display_name": "\u202e"}, "Facebook") == "(no name)"


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("[]", []),
        ('[{"kind":"image","url":"https://cdn.example/a.png"}]', [("image", "https://cdn.example/a.png")]),
        ('[{"kind":"image/jpeg","url":"media-4711"}]', [("image", None)]),
        ('[{"kind":"animated_gif","url":null}]', [("animated gif", None)]),
        ('[{"kind":"application/pdf","url":"javascript:alert(1)"}]', [("file", None)]),
        ('[{"kind":"","url":"https://cdn.example/b"}]', [("file", "https://cdn.example/b")]),
    ],
)
def test_what_was_sent_along_is_named_and_only_a_web_address_is_followed(
    kept: str, shown: list[tuple[str, str | None]]
) -> None:
    assert present.attached(kept) == shown


@pytest.mark.parametrize("name", ["\u200b", "\u2800\u2800", "\u3164 \u202e", "\ufeff", " "])
def test_a_name_that_nobody_can_see_is_none(name: str) -> None:
    """Whoever bears it is told as somebody without one, and can be clicked on."""
    assert present.without_bidi(name) == ""
    nobody = {"network": "x", "handle": None, "display_name": name, "external_id": "7"}
    assert present.account(nobody, "X") == "(no name)"
    assert present.without_bidi("👩\u200d🔧 می\u200cخواهم") == "👩\u200d🔧 می\u200cخواهم"

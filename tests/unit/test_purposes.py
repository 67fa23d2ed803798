"""Purposes and wordings: the shipped ones say what they must in five languages; wrong ones say what, where, cure."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.domain.consent import Assurance
from connector.errors import MappingInvalid
from connector.mapping.notices import LIMITS
from connector.mapping.purposes import OPERATIONS, load_consent
from connector.settings import default_mappings_dir

SHIPPED = load_consent(default_mappings_dir(), "Riverbend Outfitters")
NOW = datetime(2026, 2, 2, tzinfo=UTC)
LANGUAGES = ("en", "de", "fr", "es", "ja")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped files, to spoil."""
    shutil.copy(default_mappings_dir() / "purposes.yml", tmp_path)
    shutil.copytree(default_mappings_dir() / "notices", tmp_path / "notices")
    return tmp_path


def problems(folder: Path, company: str = "") -> list[str]:
    with pytest.raises(MappingInvalid) as refused:
        load_consent(folder, company)
    return [str(each) for each in refused.value.problems]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_operation_belongs_to_exactly_one_shipped_purpose() -> None:
    named = [operation for purpose in SHIPPED.purposes.values() for operation in purpose.operations]
    assert sorted(named) == sorted(OPERATIONS)
    assert SHIPPED.purpose_of("something.new") is None


def test_a_purpose_for_adults_only_asks_for_more_than_an_agents_word(folder: Path) -> None:
    """Nobody's age is known at the gate: until it is, no record of an agent opens such a purpose."""
    assert all(each.minimum.h >= 2 for each in SHIPPED.purposes.values() if each.adults_only)
    change(folder / "purposes.yml", "minimum: {h: 2, c: 2}", "minimum: {h: 1, c: 1}")
    [found] = problems(folder)
    assert "purposes.yml:" in found
    assert "`marketing` is for adults only" in found
    assert "Raise its minimum to {h: 2, c: 2}." in found


def test_attaching_in_the_crm_and_seeing_the_timeline_are_service() -> None:
    for operation in ("crm.case.attach", "crm.profile.attach", "crm.interaction.attach", "timeline.view"):
        purpose = SHIPPED.purpose_of(operation)
        assert purpose is not None
        assert (purpose.name, purpose.minimum, purpose.lasts) == ("service", Assurance(1, 1), timedelta(days=730))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_every_place_to_ask_has_a_wording_that_fits_in_each_language(kind: str, lang: str) -> None:
    notice = SHIPPED.current(SHIPPED.used_for[kind], lang, NOW)
    assert notice is not None
    told = notice.rendered("A company of thirty characters")
    assert notice.lang == lang
    assert LIMITS[kind].of(told) <= LIMITS[kind].most
    assert "A company of thirty characters" in told


WRONG = [
    ("an unknown purpose", "notices/phone.yml", "[service]", "[sales]", "not a purpose"),
    ("an unknown operation", "purposes.yml", "timeline.view", "timeline.sell", "not an operation"),
    ("an operation twice", "purposes.yml", "agent.hints", "survey.send", "already part of `personalisation`"),
    ("an unknown key", "purposes.yml", "dpv: ServicePersonalisation", "ttl: 3", "`ttl` is unknown"),
    ("a level that is none", "purposes.yml", "{h: 1, c: 1}", "{h: 0, c: 4}", "`h` is 0"),
    ("no end", "purposes.yml", "lasts_days: 730", "lasts_days: 0", "0 days"),
    ("an unknown policy", "purposes.yml", "policy: ask", "policy: lax", "`lax`"),
    ("nobody who asks", "notices/chat.yml", "your {company} customer", "your customer", "who asks"),
    ("a no that costs", "notices/chat.yml", "Say no and we still help.", "We are happy.", "what a no means"),
    ("a no that costs in Japanese", "notices/chat.yml", "いいえの場合も、", "", "what a いいえ means"),
    ("no STOP", "notices/dm.yml", "Reply STOP to unlink at any time.", "Bye.", "STOP"),
    ("a missing part", "notices/chat.yml", "refusal: Say no and we still help.", "no: x", "`refusal` is missing"),
    ("another placeholder", "notices/chat.yml", "Say no and", "Say no {name} and", "`{name}`"),
    ("too long for X", "notices/x_dm.yml", "Say no and", "If you like, say no, " * 5, "long for x_dm"),
    ("no English", "notices/chat.yml", "      en:", "      it:", "no English"),
    ("no time", "notices/chat.yml", "2026-01-01T00:00:00Z", "soon", "not a time"),
    ("another file's id", "notices/chat.yml", "id: chat", "id: phone", "not the file's name"),
    ("a place twice", "notices/chat.yml", "for: [chat]", "for: [chat, phone]", "also in"),
]


@pytest.mark.parametrize(("file", "old", "new", "what"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_file_says_where_what_and_the_cure(folder: Path, file: str, old: str, new: str, what: str) -> None:
    change(folder / file, old, new)
    found = problems(folder)
    assert any(file in each and what in each for each in found), found


def test_a_place_to_ask_without_words_is_a_problem(folder: Path) -> None:
    (folder / "notices/dm.yml").unlink()
    assert any("Nothing is worded for dm" in each for each in problems(folder))


def test_all_problems_of_all_files_come_at_once(folder: Path) -> None:
    for _, file, old, new, _ in (WRONG[0], WRONG[1], WRONG[4], WRONG[8]):
        change(folder / file, old, new)
    assert len(problems(folder)) >= 4


def test_the_companys_own_name_counts_for_the_length(folder: Path) -> None:
    assert any("long for x_dm" in each for each in problems(folder, "A" * 200))


def with_second_version(folder: Path, *, material: bool) -> None:
    path = folder / "notices/chat.yml"
    text = path.read_text(encoding="utf-8")
    head, _, first = text.partition('  - version: "1"')
    second = ('  - version: "2"' + first).replace("2026-01-01", "2026-06-01").replace("Say no and", "Just say no and")
    second = second.replace("material: false", f"material: {str(material).lower()}")
    path.write_text(head + '  - version: "1"' + first + second, encoding="utf-8")


@pytest.mark.parametrize(("material", "stale"), [(True, True), (False, False)])
def test_only_a_change_in_substance_makes_consent_stale_and_only_from_its_day(
    folder: Path, material: bool, stale: bool
) -> None:
    with_second_version(folder, material=material)
    registry = load_consent(folder)
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    assert not registry.is_stale("service", "chat", "1", NOW)
    assert registry.is_stale("service", "chat", "1", summer) is stale
    assert not registry.is_stale("service", "chat", "2", summer)
    assert registry.is_stale("service", "chat", "0", NOW)
    current = registry.current("chat", "en", summer)
    assert current is not None
    assert current.version == "2"


@pytest.mark.parametrize(("policy", "least"), [("double", Assurance(2, 2)), ("regulated", Assurance(3, 2))])
def test_a_stricter_policy_raises_every_minimum(folder: Path, policy: str, least: Assurance) -> None:
    change(folder / "purposes.yml", "policy: ask", f"policy: {policy}")
    assert all(each.minimum.covers(least) for each in load_consent(folder).purposes.values())

"""The story, told twice over real HTTP against a real (local) org: the whole product in one test."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from connector.demo.place import Place, open_place
from connector.demo.summary import Summary
from connector.demo.telling import Telling, set_up, tell


def quietly(_words: str) -> None:
    """Tells no progress."""


def telling(place: Place) -> Telling:
    return set_up(place, port=0, org_port=0, step=quietly)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return open_place(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def told(place: Place) -> tuple[Summary, Summary]:
    with closing(telling(place)) as first:
        before = tell(first, quietly)
    with closing(telling(place)) as second:
        after = tell(second, quietly)
    return before, after


def figure(summary: Summary, name: str) -> str:
    return dict(summary.figures)[name]


def test_every_delivery_is_taken_once_and_only_the_bad_item_is_shelved(told: tuple[Summary, Summary]) -> None:
    assert figure(told[0], "deliveries taken").startswith("14 ")
    assert figure(told[0], "shelved items, with reason") == "1"


def test_the_answers_are_counted_as_they_were_given(told: tuple[Summary, Summary]) -> None:
    assert figure(told[0], "asked") == "5: yes 3, no 1, not now 1, withdrawn 1"
    assert figure(told[0], "linked by consent") == "2"


def test_only_consented_profiles_and_cases_carry_a_contact_in_the_org(told: tuple[Summary, Summary]) -> None:
    assert figure(told[0], "in the org: social profiles") == "12, 2 of them on a contact"
    assert figure(told[0], "in the org: cases by the connector") == "12, 2 of them on a contact"


def test_all_channels_reach_the_org_as_one_history(told: tuple[Summary, Summary]) -> None:
    assert figure(told[0], "in the org: interactions").startswith("23, ")
    channels = figure(told[0], "interactions")
    assert all(
        name in channels for name in ("phone", "email", "chat", "self_service", "community", "social", "messaging")
    )


def test_telling_it_again_changes_nothing_and_writes_nothing(told: tuple[Summary, Summary]) -> None:
    first, second = told
    assert second.store_digest == first.store_digest
    assert second.org_digest == first.org_digest
    assert first.write_calls > 0
    assert second.write_calls == 0


def test_the_folder_holds_a_settings_file_that_every_command_can_use(
    place: Place, told: tuple[Summary, Summary]
) -> None:
    text = Path(place.config).read_text(encoding="utf-8")
    assert "[sources.x]" in text
    assert all(secret not in text for secret in (place.secret("secret_key"), place.secret("source_x")))

"""The offline command: every good row is answered in order, every bad one is told by its line and skipped."""

import json
from pathlib import Path

import pytest

from connector.bulk_suggest import read_contacts, suggest_files
from connector.errors import InputInvalid

CONTACTS = """contact_id,first_name,last_name,email,phone,city,state,country,ignored
c1,Annika,Thorvaldsen,annika@fjord.no,,Bergen,,Norway,x
,No,Id,,,,,,
c2,Rupert,Kestrel,,,York,,,
c3,"Broken
line",Quorum,,,,,,
c4
"""
PROFILES = """{"profile_id":"p1","network":"x","handle":"annikathorvaldsen","display_name":null,"bio":null}
not json
[1, 2]
{"network":"x","handle":"nobody"}
{"profile_id":"p2","handle":"zzqqxx","extra":{"deep":[1]}}

{"profile_id":"p3","network":"x","handle":7}
{"profile_id":"p4","network":null,"handle":null,"display_name":"Rupert Kestrel"}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    contacts, profiles = tmp_path / "contacts.csv", tmp_path / "profiles.jsonl"
    contacts.write_text("\ufeff" + CONTACTS, encoding="utf-8")
    profiles.write_text(PROFILES, encoding="utf-8")
    return contacts, profiles, tmp_path / "out.jsonl"


def test_it_answers_good_rows_in_order_and_tells_bad_ones(files: tuple[Path, Path, Path]) -> None:
    problems: list[str] = []
    summary = suggest_files(*files, on_problem=problems.append)
    rows = [json.loads(line) for line in files[2].read_text(encoding="utf-8").splitlines()]
    assert [row["profile_id"] for row in rows] == ["p1", "p2", "p4"]
    assert [[each["contact_id"] for each in row["candidates"]][:1] for row in rows] == [["c1"], [], ["c2"]]
    assert (summary.contacts, summary.profiles, summary.suggested, summary.skipped) == (4, 3, 2, 5)
    lines = [problem.split(":")[0] for problem in problems]
    assert lines == [
        "contacts.csv, line 3",
        "profiles.jsonl, line 2",
        "profiles.jsonl, line 3",
        "profiles.jsonl, line 4",
        "profiles.jsonl, line 7",
    ]
    assert not any("Kestrel" in problem or "annika" in problem for problem in problems)


def test_scores_and_reasons_are_in_the_file(files: tuple[Path, Path, Path]) -> None:
    suggest_files(*files, limit=1)
    best = json.loads(files[2].read_text(encoding="utf-8").splitlines()[0])["candidates"][0]
    assert 0 < best["score"] <= 1
    assert best["reasons"][0].keys() == {"kind", "detail", "weight"}
    assert "handle_is_first_last" in {reason["kind"] for reason in best["reasons"]}


def test_more_processes_give_the_same_file(files: tuple[Path, Path, Path]) -> None:
    suggest_files(*files)
    alone = files[2].read_bytes()
    suggest_files(*files, processes=2)
    assert files[2].read_bytes() == alone


def test_progress_is_told_by_stage(files: tuple[Path, Path, Path]) -> None:
    told: list[tuple[str, int]] = []
    suggest_files(*files, progress=lambda stage, done: told.append((stage, done)))
    assert told == [("contacts", 4), ("profiles", 3)]


@pytest.mark.parametrize("content", ["", "name,email\nx,y\n", "x" * 200_000])
def test_a_file_without_the_column_is_refused_in_one_sentence(files: tuple[Path, Path, Path], content: str) -> None:
    files[0].write_text(content, encoding="utf-8")
    with pytest.raises(InputInvalid, match="no column contact_id"):
        suggest_files(*files)


def test_blank_and_short_rows_are_taken_as_they_are(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("last_name,contact_id,first_name\n\nThorvaldsen,c1\nKestrel,c2,Rupert,more\n", encoding="utf-8")
    assert [(each.contact_id, each.first_name, each.last_name) for each in read_contacts(files[0], pytest.fail)] == [
        ("c1", None, "Thorvaldsen"),
        ("c2", "Rupert", "Kestrel"),
    ]


def test_a_missing_file_is_refused(files: tuple[Path, Path, Path]) -> None:
    with pytest.raises(InputInvalid, match="cannot be read"):
        suggest_files(files[0].with_name("absent.csv"), files[1], files[2])

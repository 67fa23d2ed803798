"""The offline command: every good row is answered in order, every bad one is told by its line and skipped."""

import gzip
import json
import os
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from math import log
from pathlib import Path

import pytest

from connector.bulk_suggest import MAX_LINE, read_contacts, read_profiles, suggest_files
from connector.errors import InputInvalid, Retryable
from connector.store.suggestion_scratch import scratch

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


def test_the_weights_in_the_file_add_up_to_the_logit_of_the_score_in_the_file(files: tuple[Path, Path, Path]) -> None:
    told = {"profile_id": "sure", "display_name": "Annika Thorvaldsen", "bio": "annika@fjord.no, Bergen"}
    handles = (
        {"profile_id": f"h{at}", "handle": each} for at, each in enumerate(("rkestrel", "rupertkestrel84", "kestr"))
    )
    files[1].write_text("\n".join(json.dumps(each) for each in (told, *handles)), encoding="utf-8")
    suggest_files(*files)
    found = [
        each for line in files[2].read_text(encoding="utf-8").splitlines() for each in json.loads(line)["candidates"]
    ]
    assert len(found) > 2
    assert max(each["score"] for each in found) > 0.99999
    for each in found:
        logit = log(each["score"] / (1 - each["score"]))
        assert sum(reason["weight"] for reason in each["reasons"]) == pytest.approx(logit, abs=1e-4)


def test_profiles_from_a_pipe_are_all_answered(files: tuple[Path, Path, Path]) -> None:
    """A pipe gives its lines once: whoever looks at them before loses them."""
    contacts, profiles, out = files
    suggest_files(*files)
    whole = out.read_bytes()
    given, put = os.pipe()
    os.write(put, profiles.read_bytes())
    os.close(put)
    suggest_files(contacts, Path(f"/dev/fd/{given}"), out)
    os.close(given)
    assert out.read_bytes() == whole


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


@pytest.mark.parametrize(
    "packed", [gzip.compress, lambda plain: plain.decode().encode("utf-16"), b"PK\x03\x04".__add__]
)
def test_a_file_that_is_no_plain_text_is_refused_in_one_sentence(
    files: tuple[Path, Path, Path], packed: Callable[[bytes], bytes]
) -> None:
    for each in files[:2]:
        plain = each.read_bytes()
        each.write_bytes(packed(plain))
        with pytest.raises(InputInvalid, match="give plain text in UTF-8"):
            suggest_files(*files)
        each.write_bytes(plain)


def test_columns_are_known_in_any_case_and_with_spaces(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("Contact_Id, First_Name , LAST_NAME\nc1, Ann ,Quorum\n", encoding="utf-8")
    (contact,) = read_contacts(files[0], pytest.fail)
    assert (contact.contact_id, contact.first_name, contact.last_name) == ("c1", "Ann", "Quorum")


def test_letters_in_another_encoding_are_told_once_and_lose_no_row(files: tuple[Path, Path, Path]) -> None:
    files[0].write_bytes("contact_id,last_name\nc1,Quorum\nc2,Jürgens\nc3,Müller\n".encode("latin-1"))
    problems: list[str] = []
    summary = suggest_files(*files[:2], files[2], on_problem=problems.append)
    assert summary.contacts == 3
    assert [each for each in problems if "UTF-8" in each] == [problems[0]]
    assert problems[0].startswith("contacts.csv, line 3: some letters are not UTF-8")
    assert summary.skipped == len(problems) - 1


def test_a_quotation_mark_that_is_not_closed_is_told_with_its_lines(files: tuple[Path, Path, Path]) -> None:
    rows = "".join(f"c{number},Ann{number}\n" for number in range(20_000))
    files[0].write_text(f'contact_id,last_name\nc,"Quorum\n{rows}', encoding="utf-8")
    problems: list[str] = []
    assert list(read_contacts(files[0], problems.append))
    assert problems[0].startswith("contacts.csv, lines 2 to ")
    assert "a quotation mark is not closed?" in problems[0]


def test_a_quotation_mark_that_is_not_closed_before_the_end_is_told_with_its_lines(
    files: tuple[Path, Path, Path],
) -> None:
    files[0].write_text('contact_id,last_name\na,"Holm ""H"" Ek"\nb,"Berg\nc,Quorum\nd,Ann', encoding="utf-8")
    problems: list[str] = []
    assert [each.contact_id for each in read_contacts(files[0], problems.append)] == ["a"]
    assert problems == [
        "contacts.csv, lines 3 to 5 (a quotation mark is not closed?): the file ends within a row; the row is skipped."
    ]


@pytest.mark.parametrize(
    "row",
    [
        '{"profile_id":"half\\ud800","handle":"annikathorvaldsen"}',
        '{"profile_id":"p","handle":"annikathorvaldsen","more":' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"profile_id":"p","bio":"' + "x" * 3 * MAX_LINE + '"}',
    ],
)
def test_a_hostile_line_is_skipped_and_the_next_is_answered(files: tuple[Path, Path, Path], row: str) -> None:
    files[1].write_text(f'{row}\n{{"profile_id":"next","handle":"annikathorvaldsen"}}\n', encoding="utf-8")
    problems: list[str] = []
    summary = suggest_files(*files, on_problem=problems.append)
    assert (summary.profiles, summary.suggested) == (1, 1)
    assert "profiles.jsonl, line 1" in problems[-1]
    assert len(problems[-1]) < 120


def test_no_line_is_ever_in_memory_as_a_whole(files: tuple[Path, Path, Path]) -> None:
    with files[1].open("w", encoding="utf-8") as file:
        file.writelines("x" * MAX_LINE for _ in range(60))
        file.write('\r\n{"profile_id":"next","handle":"ann"}')
    problems: list[str] = []
    tracemalloc.start()
    assert [each for each, _ in read_profiles(files[1], problems.append)] == ["next"]
    assert tracemalloc.get_traced_memory()[1] < 20 * MAX_LINE
    tracemalloc.stop()
    assert len(problems) == 1


def test_a_full_disk_is_told_in_one_sentence(files: tuple[Path, Path, Path]) -> None:
    with pytest.raises(InputInvalid, match="cannot be written: No space left"):
        suggest_files(*files[:2], Path("/dev/full"))
    seen: list[Path] = []
    with pytest.raises(Retryable, match=r"database or disk is full.* TMPDIR"):
        _overfill(seen)
    assert not seen[0].exists()


def _overfill(seen: list[Path]) -> None:
    with scratch() as folder, closing(sqlite3.connect(folder / "small.db")) as base:
        seen.append(folder)
        base.execute("PRAGMA max_page_count=2")
        base.executescript("CREATE TABLE one (x); CREATE TABLE two (x); CREATE TABLE three (x)")


def test_what_cannot_be_read_or_written_is_told_before_the_index_is_built(files: tuple[Path, Path, Path]) -> None:
    contacts, profiles, out = files
    packed = profiles.with_suffix(".gz")
    packed.write_bytes(gzip.compress(profiles.read_bytes()))
    told: list[tuple[str, int]] = []
    for given, to, said in (
        (packed, out, "is compressed"),
        (profiles, out.parent / "nowhere" / "out.jsonl", "no such folder"),
        (profiles, out.parent, "is a folder"),
    ):
        with pytest.raises(InputInvalid, match=said):
            suggest_files(contacts, given, to, progress=lambda stage, done: told.append((stage, done)))
    assert told == []
    assert not out.exists()


def test_a_contact_id_that_is_repeated_is_told(files: tuple[Path, Path, Path]) -> None:
    files[0].write_text("contact_id,first_name,last_name\nc1,Annika,Thorvaldsen\nc1,Anna,Thorvaldsen\nc2,Bo,Quorum\n")
    problems: list[str] = []
    assert suggest_files(*files, on_problem=problems.append).contacts == 2
    assert "contacts.csv: rows that repeat a contact_id: 1; one row of each counts." in problems


def test_a_reader_that_has_enough_ends_the_run_without_a_complaint(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("connector.bulk_suggest.Answerer.lines", full)
    with pytest.raises(BrokenPipeError):
        suggest_files(*files)

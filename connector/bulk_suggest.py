"""Suggestions in bulk, offline: contacts (CSV) and profiles (JSON lines) in, candidates (JSON lines) out.

The same engine as the service's, over a temporary SQLite index; memory stays level however long the files are.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine, MetaData, create_engine

from connector.bulk_rows import as_row, see_writable, written
from connector.domain.matching import ContactFacts, ProfileQuery, Scorecard, SuggestionEngine
from connector.errors import InputInvalid
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.suggestion_scratch import end_with_parent, scratch
from connector.store.suggestion_tables import define

CHUNK = 500
CACHE_KB = 32_768
MAX_LINE = 1_000_000
LOST = "\ufffd"
"""What stands for letters that are not UTF-8."""
SKIPPED = "the row is skipped."
_NO_TEXT = {
    b"\x1f\x8b": "compressed",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""What files begin with that are no plain text in UTF-8."""
_COLUMNS = ("contact_id", "first_name", "last_name", "email", "phone", "city", "state", "country")
_TEXTS = ("network", "handle", "display_name", "location", "bio")

Progress = Callable[[str, int], None]
OnProblem = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a bulk run did: contacts indexed, profiles answered, those with at least one candidate, rows skipped."""

    contacts: int
    profiles: int
    suggested: int
    skipped: int


def suggest_files(
    contacts: Path,
    profiles: Path,
    out: Path,
    limit: int = 5,
    progress: Progress = lambda _stage, _done: None,
    on_problem: OnProblem = lambda _sentence: None,
    processes: int = 1,
    known_share: float | None = None,
) -> Summary:
    """Writes one line of candidates per good profile, in input order; bad rows are told by line and skipped.

    ``known_share`` is the share of the profiles whose owner is among the contacts, where that is known.
    """
    if out.exists() and any(each.exists() and out.samefile(each) for each in (contacts, profiles)):
        raise InputInvalid(f"{out} is read as well: give another file to write.")
    # Told before the index is built, which may take long; but a pipe gives its lines only once.
    if profiles.is_file() or profiles.is_dir() or not profiles.exists():
        _text(profiles).close()
    see_writable(out)
    problems = _Counted(on_problem)
    with scratch() as folder:
        index = folder / "index.db"
        rows = _Passed(read_contacts(contacts, problems))
        known = build_index(index, rows, lambda done: progress("contacts", done), processes)
        if rows.count > known:
            problems(f"{contacts.name}: rows that repeat a contact_id: {rows.count - known}; one row of each counts.")
        answered = suggested = 0
        with written(out) as file:
            for lines in _answers(index, read_profiles(profiles, problems), limit, processes, known_share):
                file.writelines(line for line, _ in lines)
                answered += len(lines)
                suggested += sum(found for _, found in lines)
                progress("profiles", answered)
    return Summary(known, answered, suggested, problems.count)


def build_index(
    path: Path, contacts: Iterable[ContactFacts], progress: Callable[[int], None], processes: int = 1
) -> int:
    """Builds a suggestion index in a new SQLite file; returns the number of contacts."""
    engine = _open(path)
    metadata = MetaData()
    define(metadata)
    with engine.connect() as connection:
        # A build that breaks off is begun again, so the file needs no journal.
        connection.exec_driver_sql("PRAGMA journal_mode=OFF")
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        metadata.create_all(connection)
        count = SqlSuggestionIndex(connection).rebuild(contacts, progress, processes)
        connection.commit()
    engine.dispose()
    return count


def _open(path: Path) -> Engine:
    return create_engine(f"sqlite:///{path}")


# reading


class _Counted:
    """Passes each problem on and counts the skipped rows among them."""

    def __init__(self, tell: OnProblem) -> None:
        self._tell = tell
        self.count = 0

    def __call__(self, sentence: str) -> None:
        self.count += sentence.endswith(SKIPPED)
        self._tell(sentence)


def read_contacts(path: Path, on_problem: OnProblem) -> Iterator[ContactFacts]:
    """The contacts of a CSV with a header; a row without contact_id is told and skipped."""
    lines = _Lines(_lines(path, on_problem))
    rows = csv.reader(lines)
    columns = _header(rows)
    if "contact_id" not in columns:
        raise InputInvalid(
            f"{path.name} has no column contact_id; its first line must name the columns, with commas between them."
        )
    places = [columns.get(name, len(columns)) for name in _COLUMNS]
    while True:
        begin = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as problem:
            on_problem(f"{path.name}, {_span(begin, rows.line_num)}: {problem}; {SKIPPED}")
            continue
        if row is None:
            return
        if lines.are_over:  # the reader wanted one more within the row
            on_problem(f"{path.name}, {_span(begin, rows.line_num)}: the file ends within a row; {SKIPPED}")
            return
        facts = _contact(row, places) if row else None
        if facts:
            yield facts
        elif row:
            on_problem(f"{path.name}, line {rows.line_num}: no contact_id; {SKIPPED}")


class _Passed:
    """Passes contacts on and counts them."""

    def __init__(self, contacts: Iterator[ContactFacts]) -> None:
        self._contacts = contacts
        self.count = 0

    def __iter__(self) -> Iterator[ContactFacts]:
        for contact in self._contacts:
            self.count += 1
            yield contact


class _Lines:
    """The lines as the reader of CSV takes them, and whether it asked for more than there are."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.are_over = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            yield line.replace("\0", "")
        self.are_over = True


def _span(begin: int, end: int) -> str:
    return f"line {end}" if begin == end else f"lines {begin} to {end} (a quotation mark is not closed?)"


def _header(rows: Iterator[list[str]]) -> dict[str, int]:
    try:
        return {name.strip().lower(): at for at, name in enumerate(next(rows, ()))}
    except csv.Error:
        return {}


def _contact(row: list[str], places: list[int]) -> ContactFacts | None:
    last = len(row)
    values = [row[at].strip() or None if at < last else None for at in places]
    contact_id, first_name, last_name, email, phone, city, state, country = values
    if contact_id is None:
        return None
    emails, phones = (email,) if email else (), (phone,) if phone else ()
    return ContactFacts(contact_id, first_name, last_name, emails, phones, city, state, country)


def read_profiles(path: Path, on_problem: OnProblem) -> Iterator[tuple[str, ProfileQuery]]:
    """The profiles of a JSON-lines file with their ids; a line that is no profile is told and skipped."""
    for number, line in enumerate(_lines(path, on_problem), 1):
        if not line.strip():
            continue
        try:
            yield read_profile(line)
        except ValueError as problem:
            on_problem(f"{path.name}, line {number}: {problem}; {SKIPPED}")


def read_profile(line: str) -> tuple[str, ProfileQuery]:
    """The profile of one line with its id; ValueError says what is wrong with it."""
    if len(line) > MAX_LINE:
        raise ValueError("longer than a million characters")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON that can be read") from None
    if not isinstance(row, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004
    profile_id = row.get("profile_id")
    if not isinstance(profile_id, str) or not profile_id:
        raise ValueError("profile_id is missing or no text")
    if not _writable(profile_id):
        raise ValueError("profile_id holds half a character")
    texts: dict[str, Any] = {name: row.get(name) for name in _TEXTS}
    wrong = [name for name, text in texts.items() if text is not None and not isinstance(text, str)]
    if wrong:
        raise ValueError(f"{wrong[0]} is no text")
    return profile_id, ProfileQuery(
        network=texts["network"] or "",
        handle=texts["handle"],
        display_name=texts["display_name"],
        location=texts["location"],
        bio=texts["bio"],
    )


def _lines(path: Path, on_problem: OnProblem) -> Iterator[str]:
    """The lines of a file; of one that is too long the rest is left out, so that it never is in memory as a whole."""
    lost = False
    with _text(path) as file:
        for number in count(1):
            line = file.readline(MAX_LINE + 1)
            if not line:
                return
            if LOST in line and not lost:
                lost = True
                on_problem(f"{path.name}, line {number}: some letters are not UTF-8 and count for nothing; save it so.")
            yield line
            while len(line) > MAX_LINE and line[-1] not in "\r\n":
                line = file.readline(MAX_LINE + 1)


def _text(path: Path) -> TextIO:
    try:
        file = path.open("rb")
        head = file.peek(4)
    except OSError as problem:
        raise InputInvalid(f"{path} cannot be read: {problem.strerror}.") from problem
    for begin, what in _NO_TEXT.items():
        if head.startswith(begin):
            file.close()
            raise InputInvalid(f"{path.name} is {what}; give plain text in UTF-8.")
    return TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")


def _writable(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


# answering


class Answerer:
    """One process's engine over the index file."""

    def __init__(self, path: Path, card: Scorecard) -> None:
        self._connection: Connection = _open(path).connect()
        self._connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KB}")
        self._engine = SuggestionEngine(SqlSuggestionIndex(self._connection), card)

    def lines(self, profiles: list[tuple[str, ProfileQuery]], limit: int) -> list[tuple[str, bool]]:
        """The output lines of some profiles, each with whether anybody was found."""
        result = []
        for profile_id, query in profiles:
            candidates = self._engine.suggest(query, limit)
            row = {"profile_id": profile_id, "candidates": [as_row(each) for each in candidates]}
            result.append((json.dumps(row, ensure_ascii=False) + "\n", bool(candidates)))
        return result

    def close(self) -> None:
        """Lets the index file go."""
        self._connection.close()
        self._connection.engine.dispose()


_worker: Answerer | None = None


def _start_worker(path: Path, known_share: float | None) -> None:
    global _worker  # noqa: PLW0603 - the pool's own way to keep one engine per process
    end_with_parent()
    _worker = Answerer(path, load_scorecard(known_share=known_share))


def _work(profiles: list[tuple[str, ProfileQuery]], limit: int) -> list[tuple[str, bool]]:
    if _worker is None:
        raise RuntimeError("the worker process was not started by the pool")
    return _worker.lines(profiles, limit)


def _answers(
    index: Path, profiles: Iterator[tuple[str, ProfileQuery]], limit: int, processes: int, known_share: float | None
) -> Iterator[list[tuple[str, bool]]]:
    chunks = iter(lambda: list(islice(profiles, CHUNK)), [])
    if processes <= 1:
        answerer = Answerer(index, load_scorecard(known_share=known_share))
        for chunk in chunks:
            yield answerer.lines(chunk, limit)
        answerer.close()
        return
    start = (index, known_share)
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start_worker, initargs=start) as pool:
        # A few chunks ahead and no more: no process waits, input order is kept and memory stays level.
        ahead: deque[Future[list[tuple[str, bool]]]] = deque()
        for chunk in chunks:
            ahead.append(pool.submit(_work, chunk, limit))
            if len(ahead) > 2 * processes:
                yield ahead.popleft().result()
        for each in ahead:
            yield each.result()

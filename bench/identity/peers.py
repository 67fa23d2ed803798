"""What others would use: the same profiles through general tools, each in the best of the forms that were tried.

Tried on 500 profiles of the labelled set (R@1): the ratio of joined names to the handle as written .72, to it without
digits and usual words too .76; trigrams of joined names .72 to .77, of names and handles in words .80.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec

from rapidfuzz import fuzz, process
from sqlalchemy import create_engine, text

from bench.identity.dataset import Labelled
from connector.domain.matching import ProfileQuery
from connector.domain.matching.folding import fold
from connector.domain.matching.handles import read_handle
from connector.domain.matching.usual import HEAD, TAIL, unexplained

Answers = dict[str, list[tuple[str, float]]]
Timed = tuple[Answers, list[float]]


class PeerMissing(Exception):
    """A peer cannot run here; the message says what it needs."""


def _joined(text_: str | None) -> str:
    return fold(text_ or "").replace(" ", "")


def _letters(query: ProfileQuery) -> str:
    return _joined(query.display_name) or read_handle(query.handle, query.network).letters or _joined(query.handle)


def _bare(query: ProfileQuery) -> str:
    """Without the words people put around a name, by the connector's own list."""
    letters = _letters(query)
    return letters if query.display_name else unexplained(unexplained(letters, HEAD), TAIL) or letters


def _asked(query: ProfileQuery) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in (_letters(query), _bare(query)) if each))


def _in_words(query: ProfileQuery) -> str:
    """The shown name, or the handle cut at its signs, digits and capitals."""
    handle = re.sub(r"(?<=[a-z])(?=[A-Z])|[0-9_.]+", " ", query.handle or "")
    return fold(query.display_name or "") or fold(handle)


def _variants(first: str | None, last: str | None) -> tuple[str, ...]:
    one, two = _joined(first), _joined(last)
    return (one + two, two + one, one[:1] + two, one + two[:1])


def _ratio(asked: Sequence[str], variants: Sequence[str]) -> float:
    return max(fuzz.ratio(each, variant) for each in asked for variant in variants) / 100


def _best(scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:10]


def _run(data: Labelled, ids: set[str], answer: Callable[[ProfileQuery], list[tuple[str, float]]]) -> Timed:
    answers, times = {}, []
    for profile_id, query in data.profiles:
        if profile_id in ids:
            begin = time.perf_counter()
            answers[profile_id] = answer(query)
            times.append((time.perf_counter() - begin) * 1000)
    return answers, times


def rapidfuzz_brute_force(data: Labelled, ids: set[str]) -> Timed:
    """WRatio of the handle or shown name against every contact's name."""
    names = {each.contact_id: fold(f"{each.first_name or ''} {each.last_name or ''}") for each in data.contacts}

    def answer(query: ProfileQuery) -> list[tuple[str, float]]:
        found = process.extract(fold(query.display_name or query.handle or ""), names, scorer=fuzz.WRatio, limit=10)
        return [(contact, score / 100) for _, score, contact in found]

    return _run(data, ids, answer)


def rapidfuzz_variants(data: Labelled, ids: set[str]) -> Timed:
    """The ratio against first+last, last+first, f+last and first+l of every contact."""
    variants: list[str] = []
    owners: list[str] = []
    for each in data.contacts:
        for variant in _variants(each.first_name, each.last_name):
            variants.append(variant)
            owners.append(each.contact_id)

    def answer(query: ProfileQuery) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for asked in _asked(query):
            for _, score, at in process.extract(asked, variants, scorer=fuzz.ratio, limit=30):
                best[owners[at]] = max(score / 100, best.get(owners[at], 0.0))
        return _best(best.items())

    return _run(data, ids, answer)


def fts5_and_rapidfuzz(data: Labelled, ids: set[str]) -> Timed:
    """SQLite's trigram index for 100 candidates, re-ranked by rapidfuzz."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE names USING fts5(name, tokenize='trigram')")
    rows = [_joined(f"{each.first_name or ''}{each.last_name or ''}") for each in data.contacts]
    base.executemany("INSERT INTO names (rowid, name) VALUES (?, ?)", enumerate(rows))
    known = [(each.contact_id, _variants(each.first_name, each.last_name)) for each in data.contacts]

    def answer(query: ProfileQuery) -> list[tuple[str, float]]:
        asked = _asked(query)
        grams = " OR ".join(sorted({f'"{each[at : at + 3]}"' for each in asked for at in range(len(each) - 2)}))
        if not grams:
            return []
        hits = base.execute("SELECT rowid FROM names WHERE names MATCH ? ORDER BY rank LIMIT 100", (grams,))
        found = [known[row] for (row,) in hits]
        return _best((contact, _ratio(asked, variants)) for contact, variants in found)

    return _run(data, ids, answer)


def pg_trgm(data: Labelled, ids: set[str]) -> Timed:
    """PostgreSQL's nearest names by word similarity (GiST), weighed with the similarity and rapidfuzz's ratio."""
    url = os.environ.get("CONNECTOR_TEST_POSTGRES")
    if not url:
        raise PeerMissing("set CONNECTOR_TEST_POSTGRES to a database where the extension pg_trgm may be created")
    engine = create_engine(url)
    known = {each.contact_id: _variants(each.first_name, each.last_name) for each in data.contacts}
    rows = [
        {"i": each.contact_id, "n": fold(f"{each.first_name or ''} {each.last_name or ''}")} for each in data.contacts
    ]
    with engine.connect() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        connection.execute(text("CREATE TEMP TABLE peer_names (i text, n text)"))
        connection.execute(text("INSERT INTO peer_names VALUES (:i, :n)"), rows)
        connection.execute(text("CREATE INDEX ON peer_names USING gist (n gist_trgm_ops(siglen=64))"))
        connection.execute(text("ANALYZE peer_names"))
        nearest = text("SELECT i, n <->> :asked, n <-> :asked FROM peer_names ORDER BY n <->> :asked LIMIT 50")

        def answer(query: ProfileQuery) -> list[tuple[str, float]]:
            asked = _asked(query)
            if not asked:
                return []
            found = connection.execute(nearest, {"asked": _in_words(query)})
            return _best((i, 0.6 * (1 - (one + two) / 2) + 0.4 * _ratio(asked, known[i])) for i, one, two in found)

        result = _run(data, ids, answer)
        connection.rollback()
    engine.dispose()
    return result


def splink(data: Labelled, ids: set[str]) -> Timed:
    """Splink, trained without labels on the joined names."""
    if find_spec("splink") is None:
        raise PeerMissing("pip install -r bench/identity/requirements.txt")
    from bench.identity.peer_splink import link

    begin = time.perf_counter()
    asked = [(each, _bare(query)) for each, query in data.profiles if each in ids and _bare(query)]
    names = [(each.contact_id, _joined(f"{each.first_name or ''}{each.last_name or ''}")) for each in data.contacts]
    answers: Answers = {}
    for profile_id, contact, score in link(asked, [pair for pair in names if pair[1]]):
        answers.setdefault(profile_id, []).append((contact, score))
    ranked = {each: _best(found) for each, found in answers.items()}
    return ranked, [(time.perf_counter() - begin) * 1000 / max(len(asked), 1)]


PEERS: dict[str, Callable[[Labelled, set[str]], Timed]] = {
    "rapidfuzz WRatio": rapidfuzz_brute_force,
    "rapidfuzz 4 variants": rapidfuzz_variants,
    "FTS5 + rapidfuzz": fts5_and_rapidfuzz,
    "pg_trgm + rapidfuzz": pg_trgm,
    "Splink": splink,
}

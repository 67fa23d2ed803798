"""Any query of the grammar finds what a plain reading of Salesforce's rules finds, row by row, in Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.crm.package import compose_zip
from sandbox.app import create_sandbox
from sandbox.deploy import deploy
from tests.unit.sandbox.conftest import NOON, Caller, Clock

Row = dict[str, Any]
Test = Callable[[Row], bool]

TEXTS = (None, "a", "A", "b", "ab", "a%b", "a_b", "a\\b", "it's", "%", "_", "\\", "é", "É", "1")
NUMBERS = (None, 0, 1, 2, 10)
TODAY = datetime.fromtimestamp(NOON / 1000, UTC).date()
MOMENTS = (
    None,
    *(datetime.fromtimestamp(NOON / 1000, UTC) + timedelta(hours=hours) for hours in (-80, -12, -1, 0, 12, 60)),
)
DAYS = (None, *(TODAY + timedelta(days=days) for days in (-3, -1, 0, 2)))


def plain(text: str) -> str:
    """Text as it compares: ASCII letters without regard to case."""
    return "".join(char.lower() if char.isascii() else char for char in text)


@dataclass(frozen=True)
class World:
    """An org with some contacts and cases, and the same records as Python rows."""

    caller: Caller
    contacts: dict[str, Row]
    cases: list[Row]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    clock = Clock()
    app: Flask = create_sandbox(clock=clock)
    deploy(app.extensions["sandbox"], compose_zip(), {})
    caller = Caller(app, clock)
    contacts: dict[str, Row] = {}
    for at in range(12):
        row: Row = {"LastName": TEXTS[1 + at % (len(TEXTS) - 1)], "Email": f"p{at}@example.com" if at % 3 else None,
               "Birthdate": DAYS[at % len(DAYS)]}  # fmt: skip
        born = row["Birthdate"]
        found = caller.create("Contact", **row | {"Birthdate": born.isoformat() if born else None})
        contacts[found] = row | {"Id": found}
    people = [None, *contacts]
    cases = []
    for at in range(60):
        row = {"Subject": TEXTS[at % len(TEXTS)], "Inbound_Touches__c": NUMBERS[at % len(NUMBERS)],
               "First_Inbound_At__c": MOMENTS[at % len(MOMENTS)], "Is_Cross_Channel__c": at % 4 == 0,
               "ContactId": people[at % len(people)]}  # fmt: skip
        moment = row["First_Inbound_At__c"]
        sent = row | {"First_Inbound_At__c": moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None}
        cases.append(row | {"Id": caller.create("Case", **sent)})
    yield World(caller, contacts, cases)
    app.extensions["sandbox"].db.close()


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def compared(operator: str, have: Any, want: Any) -> bool:
    """A comparison as Salesforce means it: nothing is less or greater than an empty value, and != includes it."""
    if operator in ("=", "!="):
        return (have == want) is (operator == "=")
    return have is not None and OPERATORS[operator](have, want)


def key_of(value: Any) -> Any:
    return plain(value).encode() if isinstance(value, str) else value


@dataclass(frozen=True)
class Field:
    """A field a query may name: its path, how a row gives it, and literals of its kind."""

    path: str
    get: Callable[[Row, World], Any]
    literals: st.SearchStrategy[tuple[str, Any]]


def own(name: str) -> Callable[[Row, World], Any]:
    return lambda row, _world: row[name]


def of_contact(name: str) -> Callable[[Row, World], Any]:
    return lambda row, world: world.contacts[row["ContactId"]][name] if row["ContactId"] else None


TEXT_LITERALS = st.sampled_from([each for each in TEXTS if each]).map(lambda text: (quoted(text), text))
NUMBER_LITERALS = st.sampled_from([0, 1, 2, 3, -1, 10]).map(lambda number: (str(number), number))
MOMENT_LITERALS = st.sampled_from([each for each in MOMENTS if each]).map(
    lambda moment: (moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment)
)
DAY_LITERALS = st.sampled_from([each for each in DAYS if each]).map(lambda day: (day.isoformat(), day))

TEXT_FIELDS = [
    Field("Subject", own("Subject"), TEXT_LITERALS),
    Field("Contact.LastName", of_contact("LastName"), TEXT_LITERALS),
]
FIELDS = [
    *TEXT_FIELDS,
    Field("Inbound_Touches__c", own("Inbound_Touches__c"), NUMBER_LITERALS),
    Field("First_Inbound_At__c", own("First_Inbound_At__c"), MOMENT_LITERALS),
    Field("Contact.Birthdate", of_contact("Birthdate"), DAY_LITERALS),
]
Condition = tuple[str, Callable[[Row, World], bool]]


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(FIELDS))
    if draw(st.booleans()) and draw(st.booleans()):
        operator = draw(st.sampled_from(["=", "!="]))
        return f"{field.path} {operator} null", lambda row, world: (field.get(row, world) is None) is (operator == "=")
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
    written, want = draw(field.literals)
    return (
        f"{field.path} {operator} {written}",
        lambda row, world: compared(operator, key_of(field.get(row, world)), key_of(want)),
    )


@st.composite
def lists(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(FIELDS))
    values = draw(st.lists(field.literals | st.just(("null", None)), min_size=1, max_size=4))
    inside = draw(st.booleans())
    known = [key_of(want) for _, want in values]
    return (
        f"{field.path} {'IN' if inside else 'NOT IN'} ({', '.join(written for written, _ in values)})",
        lambda row, world: (key_of(field.get(row, world)) in known) is inside,
    )


@st.composite
def likes(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(TEXT_FIELDS))
    parts = draw(
        st.lists(st.sampled_from(["%", "_", "\\%", "\\_", "a", "B", "\\\\", "\\'", "é"]), min_size=1, max_size=4)
    )
    shapes = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_", "\\\\": re.escape("\\"), "\\'": "'"}
    pattern = re.compile("".join(shapes.get(part, re.escape(plain(part))) for part in parts), re.DOTALL)

    def holds(row: Row, world: World) -> bool:
        have = field.get(row, world)
        return have is not None and pattern.fullmatch(plain(have)) is not None

    return f"{field.path} LIKE '{''.join(parts)}'", holds


@st.composite
def spans(draw: st.DrawFn) -> Condition:
    number = draw(st.integers(0, 4))
    literal, first, after = draw(
        st.sampled_from(
            [
                ("TODAY", 0, 1), ("YESTERDAY", -1, 0), ("TOMORROW", 1, 2),
                (f"N_DAYS_AGO:{number}", -number, 1 - number),
                (f"LAST_N_DAYS:{number + 1}", -number - 1, 1), (f"NEXT_N_DAYS:{number + 1}", 1, number + 2),
            ]
        )
    )  # fmt: skip
    low, high = (TODAY + timedelta(days=days) for days in (first, after))
    field = draw(st.sampled_from(FIELDS[3:]))
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))

    def holds(row: Row, world: World) -> bool:
        have = field.get(row, world)
        day: date | None = have.date() if isinstance(have, datetime) else have
        if operator in ("=", "!="):
            return (day is not None and low <= day < high) is (operator == "=")
        return day is not None and {"<": day < low, "<=": day < high, ">": day >= high, ">=": day >= low}[operator]

    return f"{field.path} {operator} {literal}", holds


@st.composite
def semi_joins(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(["a", "b", "ab"]))
    tested, has_mail = draw(
        st.sampled_from([(f"LastName = {quoted(name)}", None), ("Email != null", True), ("Email = null", False)])
    )
    inside = draw(st.booleans())

    def holds(row: Row, world: World) -> bool:
        found = {
            key for key, each in world.contacts.items()
            if (plain(each["LastName"]) == name if has_mail is None else (each["Email"] is not None) is has_mail)
        }  # fmt: skip
        return (row["ContactId"] in found) is inside

    return f"ContactId {'IN' if inside else 'NOT IN'} (SELECT Id FROM Contact WHERE {tested})", holds


FLAGS = st.booleans().map(
    lambda wanted: (
        f"Is_Cross_Channel__c = {str(wanted).lower()}",
        lambda row, _world: row["Is_Cross_Channel__c"] is wanted,
    )
)
SINGLE: st.SearchStrategy[Condition] = st.one_of(comparisons(), lists(), likes(), spans(), semi_joins(), FLAGS)


def _together(parts: list[Condition], word: str) -> Condition:
    judge = all if word == "AND" else any
    return (
        "(" + f" {word} ".join(written for written, _ in parts) + ")",
        lambda row, world: judge(holds(row, world) for _, holds in parts),
    )


CONDITIONS = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.builds(_together, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])),
        inner.map(lambda each: (f"(NOT {each[0]})", lambda row, world: not each[1](row, world))),
    ),
    max_leaves=5,
)


def found_by(world: World, query: str) -> list[str]:
    return [str(each["Id"]) for each in world.caller.soql(query)]


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS)
def test_a_condition_finds_the_records_it_is_true_of(world: World, condition: Condition) -> None:
    written, holds = condition
    expected = {row["Id"] for row in world.cases if holds(row, world)}
    assert set(found_by(world, f"SELECT Id FROM Case WHERE {written}")) == expected


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(FIELDS), direction=st.sampled_from(["", " ASC", " DESC"]),
    nulls=st.sampled_from(["", " NULLS FIRST", " NULLS LAST"]), limit=st.integers(1, 70), offset=st.integers(0, 70),
)  # fmt: skip
def test_an_order_puts_empty_values_where_it_says_and_first_unless_told(
    world: World, field: Field, direction: str, nulls: str, limit: int, offset: int
) -> None:
    rows = sorted(world.cases, key=lambda row: str(row["Id"]))
    empty = [row["Id"] for row in rows if field.get(row, world) is None]
    full = sorted((row for row in rows if field.get(row, world) is not None),
                  key=lambda row: key_of(field.get(row, world)), reverse=direction == " DESC")  # fmt: skip
    ids = [row["Id"] for row in full]
    ordered = ids + empty if nulls == " NULLS LAST" else empty + ids
    query = f"SELECT Id FROM Case ORDER BY {field.path}{direction}{nulls}, Id LIMIT {limit} OFFSET {offset}"
    assert found_by(world, query) == ordered[offset : offset + limit]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS, limit=st.integers(1, 6), offset=st.integers(0, 2))
def test_the_children_of_each_record_are_its_own(world: World, condition: Condition, limit: int, offset: int) -> None:
    written, holds = condition
    inner = f"SELECT Id FROM Cases WHERE {written} ORDER BY Id LIMIT {limit} OFFSET {offset}"
    found = {each["Id"]: each["Cases"] for each in world.caller.soql(f"SELECT Id, ({inner}) FROM Contact")}
    for contact in world.contacts:
        own_cases = sorted(row["Id"] for row in world.cases if row["ContactId"] == contact and holds(row, world))
        expected = own_cases[offset : offset + limit]
        shown = found[contact]
        assert (shown and [each["Id"] for each in shown["records"]]) == (expected or None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS, least=st.integers(0, 4))
def test_groups_count_the_records_that_a_condition_is_true_of(world: World, condition: Condition, least: int) -> None:
    written, holds = condition
    counted = Counter(row["Inbound_Touches__c"] for row in world.cases if holds(row, world))
    query = (
        f"SELECT Inbound_Touches__c, COUNT(Id) n, COUNT(Inbound_Touches__c) filled FROM Case WHERE {written} "
        f"GROUP BY Inbound_Touches__c HAVING COUNT(Id) > {least}"
    )
    found = {row["Inbound_Touches__c"]: (row["n"], row["filled"]) for row in world.caller.soql(query)}
    assert found == {key: (number, 0 if key is None else number) for key, number in counted.items() if number > least}


LITERALS = (
    "null", "''", "'a'", "'500000000000001'", "1", "-1.5", "99999999999999999999", "true", "2026-02-02", "2026-99-99",
    "2026-02-02T00:00:00Z", "0001-01-01T00:00:00+14:00", "TODAY", "LAST_N_DAYS:99999999", "LAST_N_MONTHS:0", "nope",
    "(1, null)", "('a', 'b')", "(SELECT Id FROM Contact)", "(SELECT Contact.Id FROM Case LIMIT 1)",
)  # fmt: skip
NAMES = ("Id", "Subject", "Description", "IsClosed", "CreatedDate", "Contact.Birthdate", "ContactId", "Owner.Name",
         "Inbound_Touches__c", "Resolution_Seconds__c", "COUNT(Id)", "SUM(Subject)", "CALENDAR_YEAR(CreatedDate)",
         "CALENDAR_YEAR(Subject)", "DAY_ONLY(CreatedDate)", "Contact", "Case.Contact.Name")  # fmt: skip
TAILS = ("", " LIMIT 0", " LIMIT 2 OFFSET 1", " ORDER BY {}", " ORDER BY {} DESC NULLS LAST", " GROUP BY {}",
         " GROUP BY Status HAVING {} > 1")  # fmt: skip


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shown=st.sampled_from(["Id", "COUNT()", "COUNT(Id)", "FIELDS(ALL)", "Id, (SELECT Id FROM CaseComments)", *NAMES]),
    name=st.sampled_from(NAMES), literal=st.sampled_from(LITERALS), tail=st.sampled_from(TAILS),
    operator=st.sampled_from(["=", "!=", "<", ">=", "LIKE", "IN", "NOT IN", "INCLUDES", "EXCLUDES"]),
)  # fmt: skip
def test_every_query_is_answered_or_refused_by_name(
    world: World, shown: str, name: str, literal: str, tail: str, operator: str
) -> None:
    query = f"SELECT {shown} FROM Case WHERE {name} {operator} {literal}{tail.format(name)}"
    answer = world.caller.send("GET", "/query", query_string={"q": query})
    assert answer.status_code in (200, 400), query
    assert answer.status_code == 200 or answer.get_json()[0]["errorCode"] in {
        "MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE", "INVALID_QUERY_FILTER_OPERATOR", "EXCEEDED_ID_LIMIT",
    }  # fmt: skip

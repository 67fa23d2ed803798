"""The two reports by hand-computed figures, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, literal, select

from connector.domain.events import to_millis
from connector.queries.cases import behind_figure
from connector.reports.catalogue import REPORTS
from connector.reports.responsiveness import first_response
from connector.reports.result import Drill, Query, Result
from connector.reports.volume import volume
from connector.reports.zones import (
    around,
    day_hours,
    day_number,
    day_of,
    days_between,
    local_day,
    offsets_between,
)
from connector.store.tables import cases, interactions
from connector.store.unit_of_work import Store, open_store
from connector.web.export import as_csv, guarded
from connector.web.present import duration

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)


def at(text: str, zone: ZoneInfo = OSLO) -> int:
    """A local time as epoch milliseconds."""
    return to_millis(datetime.fromisoformat(text).replace(tzinfo=zone))


def query(first: str, last: str, **more: Any) -> Query:
    """Filters in Oslo, as known at noon UTC of 10 April."""
    values = {"zone": OSLO, "as_of": to_millis(NOW), **more}
    return Query(first=date.fromisoformat(first), last=date.fromisoformat(last), **values)


class World:
    """Writes cases and interactions with numbers for ids."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.said = 0

    def case(self, case_id: str, **more: Any) -> None:
        """One case."""
        values = {"origin": "connector", "channel": "social", "network": "x", "thread": case_id, "opened_at": 1, **more}
        with self.store.begin() as uow:
            uow.connection.execute(insert(cases).values(id=case_id, **values))

    def say(self, case_id: str | None, when: str, **more: Any) -> None:
        """One interaction at a local time of Oslo."""
        self.said += 1
        values = {
            "origin": "connector",
            "channel": "social",
            "network": "x",
            "item_id": str(self.said),
            "kind": "mention",
            "direction": "inbound",
            "author_role": "customer",
            "occurred_at": at(when),
            "received_at": at(when),
        }
        with self.store.begin() as uow:
            uow.connection.execute(
                insert(interactions).values(id=f"i{self.said}", case_id=case_id, **{**values, **more})
            )


@pytest.fixture
def world(any_store: Store) -> World:
    """An empty world on either database."""
    return World(any_store)


def measured(world: World, wanted: Query, report: Any) -> Result:
    """The report's answer."""
    with world.store.read() as connection:
        result = report(connection, wanted)
    assert isinstance(result, Result)
    return result


def by_day(result: Result, unit: str) -> dict[tuple[Any, Any], Any]:
    """The counted days that are not zero."""
    return {(row["key"], row["day"]): row[unit] for row in result.rows if row[unit]}


def test_an_attempt_is_a_run_of_messages_without_an_answer_or_a_long_silence(world: World) -> None:
    """Five quick posts weigh 1; an answer or 31 minutes of silence begins the next."""
    world.case("a")
    for minute in (0, 5, 35):
        world.say("a", f"2026-04-07T10:{minute:02d}")
    world.say("a", "2026-04-07T10:40", direction="outbound", author_role="agent")
    world.say("a", "2026-04-07T10:41")
    world.say("a", "2026-04-07T11:12")
    world.say("a", "2026-04-07T11:13", direction="outbound", author_role="bot")
    world.say("a", "2026-04-07T11:14")
    found = measured(world, query("2026-04-07", "2026-04-07"), volume)
    assert (found.totals["attempts"], found.totals["interactions"], found.totals["cases"]) == (3, 6, 1)


def test_a_filter_chooses_what_is_counted_and_changes_no_count(world: World) -> None:
    """An answer by another channel ends an attempt also for who looks at one channel only."""
    world.case("a")
    world.say("a", "2026-04-07T10:00")
    world.say("a", "2026-04-07T10:05", channel="messaging", direction="outbound", author_role="agent")
    world.say("a", "2026-04-07T10:10")
    world.say("a", "2026-04-07T10:20", channel="messaging")
    everything = by_day(measured(world, query("2026-04-07", "2026-04-07"), volume), "attempts")
    one = by_day(measured(world, query("2026-04-07", "2026-04-07", channel="social"), volume), "attempts")
    assert (everything, one) == ({("social", "2026-04-07"): 2}, {("social", "2026-04-07"): 2})


def test_a_call_after_an_answered_call_is_an_attempt_of_its_own(world: World) -> None:
    """A call that was answered is over; one that nobody answered goes on with the next."""
    for case_id, seconds in (("answered", 95), ("missed", 0)):
        world.case(case_id, channel="phone", network="phone")
        for minute in (0, 10):
            world.say(
                case_id,
                f"2026-04-07T10:{minute:02d}",
                channel="phone",
                network="phone",
                kind="call",
                duration_seconds=seconds,
            )
    found = measured(world, query("2026-04-07", "2026-04-07"), volume)
    assert (found.totals["attempts"], found.totals["interactions"]) == (3, 4)


def test_who_opens_a_case_counts(world: World) -> None:
    """Where nobody says whose words they are, a case opens for them: then they are volume too."""
    world.case("a")
    world.say("a", "2026-04-07T10:00", author_role="unknown")
    found = measured(world, query("2026-04-07", "2026-04-07"), volume)
    assert (found.totals["interactions"], found.excluded["inbound_not_by_a_customer"]) == (1, 0)


def test_a_sum_counts_a_case_once(world: World) -> None:
    """On two days and by two channels it stands in each cell; a sum leads to as many cases as it says."""
    world.case("a")
    world.case("b")
    world.say("a", "2026-04-07T10:00")
    world.say("a", "2026-04-08T10:00")
    world.say("a", "2026-04-08T11:00", channel="messaging")
    world.say("b", "2026-04-08T12:00")
    wanted = query("2026-04-07", "2026-04-08", unit="cases")
    found = measured(world, wanted, volume)
    assert by_day(found, "cases") == {
        ("social", "2026-04-07"): 1, ("social", "2026-04-08"): 2, ("messaging", "2026-04-08"): 1,
    }  # fmt: skip
    drills: list[tuple[Drill, Any]] = [(Drill(), found.totals["cases"])]
    drills += [(Drill(key=str(row["key"])), row["cases"]) for row in found.series["keys"]]
    drills += [(Drill(day=date.fromisoformat(str(row["day"]))), row["cases"]) for row in found.series["days"]]
    assert [number for _, number in drills] == [2, 1, 2, 1, 2]
    for drill, number in drills:
        with world.store.read() as connection:
            behind = behind_figure(connection, REPORTS["volume"].behind(wanted, drill), cursor=None, limit=51)
        assert len(behind.rows) == number, drill


ODD_DAYS = {
    "Europe/Berlin": "2026-03-29", "America/Sao_Paulo": "2018-11-04", "Australia/Lord_Howe": "2026-04-05",
    "America/St_Johns": "2026-11-01", "Asia/Kathmandu": "2026-03-29", "Pacific/Kiritimati": "2026-01-01",
}  # fmt: skip
"""Days on which the clocks change, or zones that are seldom thought of."""

Said = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b"]),
        st.integers(0, 4 * 24 * 12),
        st.sampled_from(["inbound", "outbound"]),
        st.sampled_from(["customer", "agent", "bot", "unknown", "marketing"]),
        st.sampled_from(["social", "messaging", "phone"]),
        st.sampled_from([None, 0, 60]),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(rows=Said, name=st.sampled_from(sorted(ODD_DAYS)), only=st.sampled_from([None, "social", "phone"]))
def test_the_volume_agrees_with_its_plainest_reading(
    migrated_file: Path, tmp_path_factory: pytest.TempPathFactory, rows: list[Any], name: str, only: str | None
) -> None:
    """Counted one by one in Python, with the zone's own local days, on the days when the clocks change."""
    path = tmp_path_factory.mktemp("plain") / "connector.db"
    shutil.copy(migrated_file, path)
    store = open_store(f"sqlite:///{path}")
    zone, middle = ZoneInfo(name), date.fromisoformat(ODD_DAYS[name])
    start = to_millis(datetime(middle.year, middle.month, middle.day, tzinfo=UTC) - timedelta(days=1))
    world = World(store)
    for case_id in ("a", "b"):
        world.case(case_id)
    told = sorted(
        {(case_id, start + step * 300_000): row for case_id, step, *row in rows}.items(), key=lambda each: each[0][1]
    )
    for (case_id, millis), (direction, role, channel, seconds) in told:
        kind = "call" if channel == "phone" else "mention"
        world.say(
            case_id,
            "2026-01-01",
            occurred_at=millis,
            direction=direction,
            author_role=role,
            channel=channel,
            kind=kind,
            duration_seconds=seconds,
        )
    wanted = Query(
        first=middle, last=middle + timedelta(days=1), zone=zone, as_of=start + 10 * 86_400_000, channel=only
    )
    found = measured(world, wanted, volume)
    store.close()
    plain: dict[tuple[str, str], list[Any]] = {}
    silent_since: dict[str, int] = {}
    for (case_id, millis), (direction, role, channel, seconds) in told:
        if direction == "outbound" and role == "agent":
            silent_since.pop(case_id or "", None)
        if direction == "outbound" or role not in ("customer", "unknown"):
            continue
        begins = case_id is None or millis - silent_since.get(case_id, -(10**15)) > 1_800_000
        silent_since[case_id or ""] = millis
        if channel == "phone" and seconds:
            silent_since.pop(case_id or "")
        day = datetime.fromtimestamp(millis / 1000, zone).date()
        if only in (None, channel) and wanted.first <= day <= wanted.last:
            cell = plain.setdefault((channel, day.isoformat()), [0, 0, set()])
            cell[0] += begins
            cell[1] += 1
            cell[2] |= {case_id} - {None}
    for unit, number in (("attempts", 0), ("interactions", 1)):
        assert by_day(found, unit) == {key: cell[number] for key, cell in plain.items() if cell[number]}
    assert by_day(found, "cases") == {key: len(cell[2]) for key, cell in plain.items() if cell[2]}
    assert found.totals["cases"] == len(set().union(*(cell[2] for cell in plain.values())))


def test_days_are_local_empty_days_are_rows_and_others_are_left_out(world: World) -> None:
    """The brand's own, internal notes and what has not arrived yet are not volume."""
    world.case("a")
    world.case("b", channel="email", network="email")
    world.say("a", "2026-04-06T23:59")
    world.say("a", "2026-04-07T00:00")
    world.say("b", "2026-04-09T12:00", channel="email", network="email")
    world.say("a", "2026-04-07T12:00", direction="outbound", author_role="marketing")
    world.say("a", "2026-04-07T12:00", direction="internal", author_role="agent")
    world.say("a", "2026-04-07T12:00", kind=None)
    world.say("a", "2026-04-07T12:00", author_role="bot")
    world.say("a", "2026-04-07T13:00", state="deleted", text=None)
    world.say(None, "2026-04-08T13:00", possible_duplicate=True)
    found = measured(world, query("2026-04-07", "2026-04-09"), volume)
    assert by_day(found, "interactions") == {
        ("social", "2026-04-07"): 2, ("social", "2026-04-08"): 1, ("email", "2026-04-09"): 1,
    }  # fmt: skip
    assert len(found.rows) == 2 * 3
    assert found.excluded == {"inbound_not_by_a_customer": 1, "counted_but_possibly_twice": 1}


def test_a_run_over_midnight_belongs_to_the_day_it_began(world: World) -> None:
    """And a run that began before the span is not counted in it."""
    world.case("a")
    world.say("a", "2026-04-06T23:50")
    world.say("a", "2026-04-07T00:10")
    found = measured(world, query("2026-04-07", "2026-04-07"), volume)
    assert (found.totals["attempts"], found.totals["interactions"]) == (0, 1)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-04-07", 24)])
def test_days_of_23_and_25_hours_hold_what_happened_in_them(world: World, day: str, hours: int) -> None:
    """One message each hour of UTC around the change of clocks."""
    world.case("a")
    start = datetime.fromisoformat(day).replace(tzinfo=OSLO).astimezone(UTC) - timedelta(hours=3)
    for hour in range(31):
        moment = start + timedelta(hours=hour, minutes=1)
        world.say("a", "2026-01-01", occurred_at=to_millis(moment))
    wanted = query(day, day, as_of=at("2027-01-01T00:00"))
    assert measured(world, wanted, volume).totals["interactions"] == hours
    assert day_hours(date.fromisoformat(day), OSLO) == hours


def test_groups_and_networks_sum_to_the_same(world: World) -> None:
    """Cutting differently changes no total."""
    world.case("a")
    world.say("a", "2026-04-07T10:00")
    world.say("a", "2026-04-07T11:00", channel="messaging", network="whatsapp")
    world.say("a", "2026-04-07T12:00", channel="sms", network="sms")
    groups = {"messaging": "social", "sms": "phone"}
    by_group = measured(world, query("2026-04-07", "2026-04-07", by="group", groups=groups), volume)
    assert by_day(by_group, "interactions") == {("social", "2026-04-07"): 2, ("phone", "2026-04-07"): 1}
    by_network = measured(world, query("2026-04-07", "2026-04-07", by="network"), volume)
    assert {row["key"] for row in by_network.rows} == {"x", "whatsapp", "sms"}
    one = measured(world, query("2026-04-07", "2026-04-07", network="whatsapp"), volume)
    assert one.totals["interactions"] == 1


def answered(
    world: World, number: int, minutes: float | None, *, channel: str = "social", hours_ago: float = 48
) -> None:
    """A case that began so long before now and was answered after so many minutes, or not at all."""
    began = to_millis(NOW - timedelta(hours=hours_ago))
    response = None if minutes is None else began + round(minutes * 60_000)
    world.case(f"c{channel}{number}", channel=channel, first_inbound_at=began, first_response_at=response)


def test_percentiles_are_existing_times_and_those_who_wait_sort_last(world: World) -> None:
    """Ten answered after 1 to 10 minutes, ten still waiting: half took 10 minutes, 90 % is not reached."""
    for number in range(1, 11):
        answered(world, number, number)
        answered(world, 100 + number, None)
    row = measured(world, query("2026-04-01", "2026-04-10"), first_response).rows[0]
    assert (row["cases"], row["answered"], row["unanswered"]) == (20, 10, 10)
    assert (row["p50_answered_seconds"], row["p90_answered_seconds"]) == (300, 540)
    assert row["p50_all_seconds"] == 600
    assert row["p90_all_seconds"] is None
    assert row["p90_all_bound_seconds"] == 48 * 3600
    assert row["under_1h"] == 10
    assert row["mature"] is True


def test_a_young_cohort_says_that_it_may_change(world: World) -> None:
    """Somebody waits for less time than the figure shown."""
    answered(world, 1, 60)
    answered(world, 2, 90)
    answered(world, 3, None, hours_ago=0.5)
    row = measured(world, query("2026-04-01", "2026-04-10"), first_response).rows[0]
    assert row["p50_all_seconds"] == 5400
    assert row["mature"] is False


def test_nothing_is_null_and_never_zero_and_few_hide_the_90th(world: World) -> None:
    """An empty bucket is not a fast one."""
    empty = measured(world, query("2026-04-01", "2026-04-10"), first_response)
    assert (empty.rows, dict(empty.totals)) == ((), {})
    answered(world, 1, None)
    row = measured(world, query("2026-04-01", "2026-04-10"), first_response).rows[0]
    assert row["p50_answered_seconds"] is None
    assert row["mean_answered_seconds"] is None
    assert row["p50_all_bound_seconds"] == 48 * 3600
    assert row["p90_all_bound_seconds"] is None


def test_clocks_that_disagree_count_as_zero_and_are_told(world: World) -> None:
    """A negative time is neither dropped nor shown."""
    answered(world, 1, -5)
    found = measured(world, query("2026-04-01", "2026-04-10"), first_response)
    assert found.rows[0]["p50_all_seconds"] == 0
    assert found.excluded["counted_as_0_clocks_disagree"] == 1


def test_who_deleted_all_before_an_answer_waits_for_none(world: World) -> None:
    """It leaves the figures and is told; one word that stands, or an answer, keeps the case in them."""
    gone = {"state": "deleted", "text": None, "deleted_at": at("2026-04-09T12:00")}
    for number, minutes in ((1, None), (2, None), (3, 5)):
        answered(world, number, minutes)
        world.say(f"csocial{number}", "2026-04-08T14:00", **gone)
    world.say("csocial2", "2026-04-08T15:00")
    wanted = query("2026-04-01", "2026-04-10")
    found = measured(world, wanted, first_response)
    assert (found.totals["cases"], found.totals["unanswered"]) == (2, 1)
    assert found.excluded["deleted_by_the_customer_before_an_answer"] == 1
    with world.store.read() as connection:
        behind = behind_figure(connection, REPORTS["first-response"].behind(wanted, Drill()), cursor=None, limit=51)
    assert {row["id"] for row in behind.rows} == {"csocial2", "csocial3"}
    before = query("2026-04-01", "2026-04-10", as_of=at("2026-04-09T11:00"))
    assert measured(world, before, first_response).totals["cases"] == 3


def test_what_was_not_known_then_is_not_in_the_figure_of_then(world: World) -> None:
    """As of yesterday the case was still waiting."""
    answered(world, 1, 60 * 30)
    today = measured(world, query("2026-04-01", "2026-04-10"), first_response).rows[0]
    then = query("2026-04-01", "2026-04-10", as_of=to_millis(NOW - timedelta(hours=24)))
    assert (today["answered"], measured(world, then, first_response).rows[0]["answered"]) == (1, 0)


@pytest.mark.parametrize("by", ["channel", "network", "group"])
def test_every_figure_leads_to_as_many_cases(world: World, by: str) -> None:
    """Drilling down finds exactly the cases that were counted."""
    for number, minutes in enumerate((5, 70, 200, 2000, None, None)):
        answered(world, number, minutes, channel="social" if number % 2 else "chat")
        world.say(f"c{'social' if number % 2 else 'chat'}{number}", "2026-04-08T14:00")
    wanted = query("2026-04-01", "2026-04-10", by=by, groups={"chat": "chat"})
    report = REPORTS["first-response"]
    for row in measured(world, wanted, first_response).rows:
        for drill, figure in (
            (Drill(key=str(row["key"])), "cases"),
            (Drill(key=str(row["key"]), answered=False), "unanswered"),
            (Drill(key=str(row["key"]), answered=True), "answered"),
            *(
                (Drill(key=str(row["key"]), band=band), band)
                for band in ("under_1h", "under_3h", "under_24h", "over_24h")
            ),
        ):
            with world.store.read() as connection:
                found = behind_figure(connection, report.behind(wanted, drill), cursor=None, limit=51)
                assert len(found.rows) == row[figure]
    days = measured(world, wanted, volume)
    for row in days.rows:
        drill = Drill(key=str(row["key"]), day=date.fromisoformat(str(row["day"])))
        with world.store.read() as connection:
            found = behind_figure(connection, REPORTS["volume"].behind(wanted, drill), cursor=None, limit=51)
            assert len(found.rows) == row["cases"]


Times = st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7) | st.none()), max_size=40)


@settings(max_examples=60, deadline=None)
@given(Times)
def test_nearest_rank_agrees_with_its_definition(rows: list[tuple[int, int | None]]) -> None:
    """Against the plainest possible reading of "the smallest observed time that p % do not exceed"."""
    store = open_store("sqlite://")
    cases.metadata.create_all(store.engine)
    wanted = query("2026-04-01", "2026-04-10")
    with store.begin() as uow:
        for number, (age, took) in enumerate(rows):
            began = to_millis(NOW) - age - (took or 0)
            values = {"first_inbound_at": began, "first_response_at": None if took is None else began + took}
            uow.connection.execute(
                insert(cases).values(
                    id=str(number),
                    origin="crm",
                    channel="chat",
                    network="chat",
                    thread=str(number),
                    opened_at=1,
                    **values,
                )
            )
    with store.read() as connection:
        found = first_response(connection, wanted)
    store.close()
    kept = [(age + (took or 0), took) for age, took in rows]
    times = sorted(took for _, took in kept if took is not None)

    def reference(percent: int, of: int) -> float | None:
        return next((value / 1000 for place, value in enumerate(times, 1) if 100 * place >= percent * of), None)

    if not kept:
        assert found.rows == ()
        return
    row = found.rows[0]
    assert row["p50_all_seconds"] == reference(50, len(kept))
    assert row["p50_answered_seconds"] == reference(50, len(times))
    if len(kept) >= 10:
        assert row["p90_all_seconds"] == reference(90, len(kept))


ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001 - local by design
def test_the_local_day_in_sql_is_the_one_of_the_zone(name: str, moment: datetime) -> None:
    """In any zone of the world, at any moment."""
    zone = ZoneInfo(name)
    instant = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    local = instant.astimezone(zone).date()
    start, end = around(local - timedelta(days=3), local + timedelta(days=3))
    offsets = offsets_between(zone, start, end)
    store = open_store("sqlite://")
    with store.read() as connection:
        found = connection.execute(select(local_day(literal(to_millis(instant)), offsets))).scalar_one()
    store.close()
    assert day_of(found) == local
    assert day_number(local) == found
    assert start < to_millis(instant) < end


def test_the_days_of_a_span_are_all_there() -> None:
    """A calendar spine has no holes."""
    assert len(days_between(date(2024, 2, 27), date(2024, 3, 2))) == 5


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+47 22", "'+47 22"), ("-1", "'-1"), ("@sum", "'@sum"), ("\t=1", "'\t=1"), (" =1", "' =1"),
        ("＝1", "'＝1"), ("\x00=1", "'\x00=1"), ("plain", "plain"), (-1.5, -1.5), (None, ""), (True, "yes"), ("", ""),
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_might_run_is_only_text(value: Any, cell: Any) -> None:
    """Numbers stay numbers."""
    assert guarded(value) == cell


def test_the_export_holds_the_same_rows_as_the_result(world: World) -> None:
    """With zone and as-of beside every row."""
    world.case("a")
    world.say("a", "2026-04-07T10:00")
    result = measured(world, query("2026-04-06", "2026-04-08"), volume)
    lines = as_csv(result).removeprefix("\ufeff").splitlines()
    assert lines[0] == "day,key,attempts,interactions,cases,timezone,as_of_ms"
    assert lines[2] == f"2026-04-07,social,1,1,1,Europe/Oslo,{to_millis(NOW)}"
    assert len(lines) == 1 + len(result.rows)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (3900, "1 h 05 min"), (90_000, "1 d 1 h"), (None, "–")],
)
def test_durations_are_said_as_people_say_them(seconds: float | None, words: str) -> None:
    """Two units at most."""
    assert duration(seconds) == words


@pytest.mark.parametrize("report", [volume, first_response])
def test_the_key_stands_under_what_the_report_is_cut_by(world: World, report: Any) -> None:
    """A network under the heading Channel would be read as one."""
    for by, heading in (("channel", "Channel"), ("group", "Channel, six groups"), ("network", "Network")):
        with world.store.read() as connection:
            result = report(connection, query("2026-04-01", "2026-04-02", by=by))
        assert {each.name: each.label for each in result.columns}["key"] == heading


def test_every_report_has_a_question_and_a_written_definition() -> None:
    """A number without its definition is not published."""
    for report in REPORTS.values():
        assert report.question.endswith("?")
        assert len(report.definition) > 200
        assert report.cannot_know

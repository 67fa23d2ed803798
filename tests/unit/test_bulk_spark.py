"""The Spark path gives the file that one process gives. Runs where pyspark and Java are installed."""

import json
import sys
from pathlib import Path

import pytest

from connector.bulk_spark import suggest_on_spark
from connector.bulk_suggest import build_index
from connector.domain.matching import ProfileQuery
from tests.suggestion_base import PEOPLE, engine_over

sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed (pip install pyspark; needs Java)")


def test_spark_answers_as_one_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    profiles, out, index = tmp_path / "profiles.jsonl", tmp_path / "out", tmp_path / "index.db"
    handles = ["annikathorvaldsen", "bobkestrel", "zzqqxx", "johnsmith"]
    rows = [json.dumps({"profile_id": f"p{at}", "handle": handle}) for at, handle in enumerate(handles)]
    profiles.write_text("\n".join([*rows, "not json"]) + "\n", encoding="utf-8")
    build_index(index, PEOPLE, lambda _done: None)
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        assert suggest_on_spark(session, index, str(profiles), str(out)) == (4, 1)
    finally:
        session.stop()
    found = [json.loads(line) for part in sorted(out.glob("part-*")) for line in part.read_text().splitlines()]
    with engine_over() as engine:
        for row, handle in zip(found, handles, strict=True):
            expected = [each.contact_id for each in engine.suggest(ProfileQuery(handle=handle))]
            assert [each["contact_id"] for each in row["candidates"]] == expected

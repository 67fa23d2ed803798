"""The bulk job on an Apache Spark cluster, for more profiles than one machine should answer: same index, same scorer.

`spark-submit --py-files WHEEL connector/bulk_spark.py INDEX PROFILES OUT [KNOWN_SHARE]`: INDEX is the SQLite file that
`bulk_suggest.build_index` makes once, PROFILES and OUT are any paths Spark reads and writes. See docs/suggestions.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from connector.bulk_suggest import CHUNK, Answerer, read_profile
from connector.mapping.scorecard import load_scorecard


def suggest_on_spark(
    session: Any, index: Path, profiles: str, out: str, limit: int = 5, known_share: float | None = None
) -> tuple[int, int]:
    """Writes the candidates of every good line under ``out`` in input order; returns lines answered and skipped."""
    session.sparkContext.addFile(str(index))
    skipped = session.sparkContext.accumulator(0)
    answered = session.sparkContext.accumulator(0)
    name = index.name

    def answer(lines: Iterator[Any]) -> Iterator[str]:
        from pyspark import SparkFiles

        answerer = Answerer(Path(SparkFiles.get(name)), load_scorecard(known_share=known_share))
        good = _good(lines, skipped)
        while chunk := list(islice(good, CHUNK)):
            for line, _ in answerer.lines(chunk, limit):
                answered.add(1)
                yield line.rstrip("\n")
        answerer.close()

    session.read.text(profiles).rdd.mapPartitions(answer).saveAsTextFile(out)
    return answered.value, skipped.value


def _good(rows: Iterator[Any], skipped: Any) -> Iterator[Any]:
    for row in rows:
        try:
            yield read_profile(row.value)
        except ValueError:
            skipped.add(1)


def main(arguments: list[str]) -> None:
    """Runs the job under spark-submit."""
    from pyspark.sql import SparkSession

    index, profiles, out, *rest = arguments
    known_share = float(rest[0]) if rest else None
    session = SparkSession.builder.appName("connector suggestions").getOrCreate()
    answered, skipped = suggest_on_spark(session, Path(index), profiles, out, known_share=known_share)
    sys.stdout.write(f"{answered} profiles answered, {skipped} lines skipped\n")
    session.stop()


if __name__ == "__main__":
    main(sys.argv[1:])

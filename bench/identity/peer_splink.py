"""Splink 5 on two columns of joined names. The one module of the bench that knows ``splink``."""

from __future__ import annotations

import logging

import pyarrow as pa
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

Pair = tuple[str, str]


def link(profiles: list[Pair], contacts: list[Pair]) -> list[tuple[str, str, float]]:
    """(profile, contact, probability) for every pair that Splink thinks possible."""
    api = DuckDBAPI()
    tables = [
        api.register(_table(rows), dataset_display_name=name) for rows, name in ((profiles, "p"), (contacts, "c"))
    ]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[cl.JaroWinklerAtThresholds("name", [0.95, 0.9, 0.8]), cl.ExactMatch("tail")],
        blocking_rules_to_generate_predictions=[
            block_on("substr(name, 1, 4)"),
            block_on("substr(name, -5)"),
            block_on("substr(name, 4, 5)"),
        ],
        probability_two_random_records_match=1 / max(len(contacts), 1),
    )
    linker = Linker(tables, settings, log_level=logging.ERROR)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    for rule in (block_on("substr(name, 1, 4)"), block_on("tail")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=0.001).as_record_list()
    return [_sides(row) for row in found]


def _table(rows: list[Pair]) -> pa.Table:
    return pa.table(
        {
            "unique_id": [key for key, _ in rows],
            "name": [name for _, name in rows],
            "tail": [name[-6:] for _, name in rows],
        }
    )


def _sides(row: dict[str, object]) -> tuple[str, str, float]:
    left, right = str(row["unique_id_l"]), str(row["unique_id_r"])
    probability = float(str(row["match_probability"]))
    return (left, right, probability) if row["source_dataset_l"] == "p" else (right, left, probability)

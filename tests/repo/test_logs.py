"""Logs say what happened and to how many, never to whom."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from connector.logs import SAID, configure_logs

ROOT = Path(__file__).resolve().parents[2]
METHODS = {"log", "debug", "info", "warning", "error", "critical", "exception"}
PERSONAL = {"handle", "email", "phone", "text", "body", "name", "token", "secret", "password", "words", "query", "url"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logs(stream=stream)
    yield stream
    structlog.reset_defaults()


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "connector").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in METHODS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "logger"}
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_key_that_the_code_logs_is_on_the_list() -> None:
    unlisted = [
        f"{place} {keyword.arg}"
        for place, call in log_calls()
        for keyword in call.keywords
        if keyword.arg and keyword.arg != "exc_info" and keyword.arg not in SAID
    ]
    assert unlisted == []


def test_no_personal_key_is_on_the_list() -> None:
    assert not SAID & PERSONAL


def test_the_list_holds_nothing_that_nobody_logs() -> None:
    used = {keyword.arg for _, call in log_calls() for keyword in call.keywords}
    assert not SAID - used - {"event", "level", "timestamp"}


def test_events_are_plain_names(lines: io.StringIO) -> None:
    unnamed = [place for place, call in log_calls() if not (call.args and isinstance(call.args[-1], ast.Constant))]
    assert unnamed == []
    assert lines.getvalue() == ""


def test_what_is_not_on_the_list_is_left_out_and_named(lines: io.StringIO) -> None:
    structlog.get_logger().info("something", source="x", handle="@mara", status=200)
    line = json.loads(lines.getvalue())
    assert line["withheld"] == ["handle"]
    assert "mara" not in lines.getvalue()
    assert (line["event"], line["source"], line["status"]) == ("something", "x", 200)

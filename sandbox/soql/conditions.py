"""WHERE and HAVING as SQL. A test is true or false, never unknown: NOT and != include records without a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sandbox.errors import ApiError
from sandbox.ids import to_id18
from sandbox.schema import NUMBER_TYPES, Field
from sandbox.soql.ast import Call, Column, Comparison, Condition, Literal, Logic, Query, SemiJoin
from sandbox.soql.dates import span
from sandbox.soql.parser import unescape
from sandbox.values import parse_time

Operand = Column | Call
DAY_MS = 86_400_000


@dataclass
class Conditions:
    """Translates the conditions of one query; parameters gather in the order of their marks."""

    place: Callable[[Operand], tuple[str, Field]]
    subquery: Callable[[Query], tuple[str, list[Any]]]
    today: date
    parameters: list[Any] = field(default_factory=list)

    def sql(self, condition: Condition) -> str:
        """The condition as SQL."""
        if isinstance(condition, Logic):
            if condition.operator == "NOT":
                return f"NOT coalesce({self.sql(condition.parts[0])}, 0)"
            return "(" + f" {condition.operator} ".join(self.sql(part) for part in condition.parts) + ")"
        if isinstance(condition, SemiJoin):
            return self._semi_join(condition)
        return self._comparison(condition)

    def _semi_join(self, condition: SemiJoin) -> str:
        sql, found = self.place(condition.operand)
        if found.type not in {"id", "reference"}:
            raise ApiError(400, "INVALID_FIELD", f"\nThe left operand of a semi-join must be an id: {found.name}")
        inner, parameters = self.subquery(condition.query)
        self.parameters += parameters
        if condition.inside:
            return f"{sql} IN ({inner})"
        return f"coalesce({sql} NOT IN ({inner}), 1)"

    def _comparison(self, condition: Comparison) -> str:
        sql, found = self.place(condition.operand)
        if found.is_long_text:
            raise ApiError(400, "INVALID_FIELD", f"\nfield '{found.name}' can not be filtered in a query call")
        if condition.operator in {"IN", "NOT IN"}:
            return self._among(sql, found, condition)
        if condition.operator in {"INCLUDES", "EXCLUDES"}:
            return self._multi(sql, found, condition)
        literal = condition.values[0]
        if condition.operator == "LIKE":
            return self._like(sql, found, literal)
        if literal.kind == "DATE_LITERAL":
            return self._in_span(sql, found, condition.operator, literal)
        value = literal_value(found, literal)
        if value is None and condition.operator not in {"=", "!="}:
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"\ninvalid operator on null: {found.name}")
        self.parameters.append(value)
        if condition.operator in {"=", "!="}:
            return f"{sql} {'IS NOT' if condition.operator == '!=' else 'IS'} ?"
        return f"{sql} {condition.operator} ?"

    def _among(self, sql: str, found: Field, condition: Comparison) -> str:
        values = [literal_value(found, literal) for literal in condition.values]
        known = [value for value in values if value is not None]
        self.parameters += known
        inside = f"{sql} IN ({', '.join('?' * len(known))})"
        if len(known) < len(values):
            inside = f"({inside} OR {sql} IS NULL)"
        return inside if condition.operator == "IN" else f"NOT coalesce({inside}, 0)"

    def _multi(self, sql: str, found: Field, condition: Comparison) -> str:
        if found.type != "multipicklist":
            raise ApiError(
                400, "INVALID_QUERY_FILTER_OPERATOR", f"\n{condition.operator} needs a multi-select picklist"
            )
        tests = []
        for literal in condition.values:
            parts = [part for part in unescape(literal.text).split(";") if part]
            tests.append(" AND ".join(f"instr(';' || {sql} || ';', ?) > 0" for _ in parts))
            self.parameters += [f";{part};" for part in parts]
        inside = "(" + " OR ".join(f"({test})" for test in tests) + ")"
        return inside if condition.operator == "INCLUDES" else f"NOT coalesce({inside}, 0)"

    def _like(self, sql: str, found: Field, literal: Literal) -> str:
        if found.type in NUMBER_TYPES | {"boolean", "date", "datetime", "id", "reference"}:
            raise ApiError(
                400, "INVALID_QUERY_FILTER_OPERATOR", f"\ninvalid operator on {found.type} field: {found.name}"
            )
        self.parameters.append(unescape(literal.text, pattern=True))
        return f"{sql} LIKE ? ESCAPE '\\'"

    def _in_span(self, sql: str, found: Field, operator: str, literal: Literal) -> str:
        if found.type not in {"date", "datetime"}:
            raise _wrong_kind(found)
        try:
            first, after = span(literal.text, self.today)
        except (OverflowError, ValueError) as error:
            raise ApiError(400, "MALFORMED_QUERY", f"\ninvalid date literal: {literal.text}") from error
        low, high = (_bound(found, day) for day in (first, after))
        if operator in {"=", "!="}:
            self.parameters += [low, high]
            inside = f"({sql} >= ? AND {sql} < ?)"
            return inside if operator == "=" else f"NOT coalesce({inside}, 0)"
        limit, sign = {"<": (low, "<"), "<=": (high, "<"), ">": (high, ">="), ">=": (low, ">=")}[operator]
        self.parameters.append(limit)
        return f"{sql} {sign} ?"


def literal_value(found: Field, literal: Literal) -> Any:
    """A literal as the field's column keeps it; raises ApiError where the kinds do not fit."""
    if literal.kind == "NULL":
        return None
    if found.type == "boolean" and literal.kind in {"TRUE", "FALSE"}:
        return int(literal.kind == "TRUE")
    if found.type in NUMBER_TYPES and literal.kind == "NUMBER":
        return float(literal.text)
    if (found.type, literal.kind) in {("datetime", "DATETIME"), ("date", "DATE")}:
        return _moment(literal)
    if literal.kind == "STRING" and found.type not in NUMBER_TYPES | {"boolean", "date", "datetime"}:
        return _id_or_text(found, unescape(literal.text))
    raise _wrong_kind(found)


def _moment(literal: Literal) -> Any:
    try:
        return parse_time(literal.text) if literal.kind == "DATETIME" else date.fromisoformat(literal.text).isoformat()
    except (ValueError, OverflowError) as error:
        raise ApiError(400, "MALFORMED_QUERY", f"\ninvalid date: {literal.text}") from error


def _id_or_text(found: Field, text: str) -> str | None:
    if not text:
        return None  # an empty text is no value
    if found.type not in {"id", "reference"}:
        return text
    known = to_id18(text)
    if known is None:
        raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"\n{found.name} = '{text}'\ninvalid ID field: {text}")
    return known


def _wrong_kind(found: Field) -> ApiError:
    kind = {"datetime": "dateTime"}.get(found.type, "string" if found.values else found.type)
    quotes = "should not" if found.type in NUMBER_TYPES | {"boolean", "date", "datetime"} else "should"
    must = f"must be of type {kind} and {quotes} be enclosed in quotes"
    return ApiError(400, "INVALID_FIELD", f"\nvalue of filter criterion for field '{found.name}' {must}")


def _bound(found: Field, day: date) -> Any:
    if found.type == "date":
        return day.isoformat()
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000

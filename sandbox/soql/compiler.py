"""A query's tree as SQL, and how its rows are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sandbox.errors import ApiError
from sandbox.schema import NUMBER_TYPES, Field, Schema, SObject
from sandbox.soql.ast import Call, Column, Ordering, Query
from sandbox.soql.conditions import Conditions
from sandbox.soql.scope import SEE_DESCRIBE, Place, Scope, no_such_column

AGGREGATES = {"COUNT": "count({})", "COUNT_DISTINCT": "count(DISTINCT {})", "SUM": "sum({})", "AVG": "avg({})",
              "MIN": "min({})", "MAX": "max({})"}  # fmt: skip
DATE_PARTS = {"CALENDAR_YEAR": "%Y", "CALENDAR_MONTH": "%m", "DAY_IN_MONTH": "%d", "HOUR_IN_DAY": "%H",
              "DAY_IN_WEEK": "%w", "DAY_IN_YEAR": "%j"}  # fmt: skip
_NUMBER = Field("expr", "double")
_WHOLE = Field("expr", "int")
_DAY = Field("expr", "date")


@dataclass(frozen=True, slots=True)
class Slot:
    """One shown value: where it stands in the record, and its field."""

    path: tuple[str, ...]
    field: Field


@dataclass
class Plan:
    """What to run for a query of records: first the ids, then pages of rows by id."""

    item: SObject
    ids_sql: str
    ids_parameters: list[Any]
    rows_sql: str = ""
    slots: list[Slot] = field(default_factory=list)
    parents: list[tuple[str, ...]] = field(default_factory=list)
    children: list[ChildPlan] = field(default_factory=list)


@dataclass
class ChildPlan:
    """A sub-query over the children of the records shown."""

    name: str
    limit: int | None
    offset: int
    sql: str
    parameters: list[Any]
    plan: Plan


@dataclass
class GroupPlan:
    """What to run for an aggregate query."""

    sql: str
    parameters: list[Any]
    slots: list[Slot]


class Compiler:
    """Translates queries against one schema, as of one day."""

    def __init__(self, schema: Schema, today: date, *, with_deleted: bool = False) -> None:
        self.schema = schema
        self.today = today
        self.with_deleted = with_deleted

    def find(self, name: str) -> SObject:
        """The object of a FROM; raises ApiError with INVALID_TYPE."""
        item = self.schema.find(name)
        if item is None:
            raise ApiError(
                400,
                "INVALID_TYPE",
                f"\n{name}\n^\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. If you are attempting "
                f"to use a custom object, be sure to append the '__c' after the entity name. {SEE_DESCRIBE}",
            )
        return item

    def records(self, query: Query, item: SObject) -> Plan:
        """The plan of a query that shows records."""
        sql, parameters = self._ids(query, item)
        plan = Plan(item, sql, parameters)
        self._select(plan, query)
        return plan

    def count(self, query: Query, item: SObject) -> tuple[str, list[Any]]:
        """SQL that counts what COUNT() counts."""
        sql, parameters = self._ids(query, item)
        return f"SELECT count(*) FROM ({sql})", parameters  # noqa: S608

    def _ids(self, query: Query, item: SObject) -> tuple[str, list[Any]]:
        scope = Scope(self.schema, item, query.alias)
        where, parameters = self._where(query, scope)
        order = self._order(query.order, scope) or f"{scope.prefix}.Id"
        sql = f"SELECT {scope.prefix}.Id FROM {scope.source} WHERE {where} ORDER BY {order}"  # noqa: S608
        return sql + _limits(query), parameters

    def _where(self, query: Query, scope: Scope) -> tuple[str, list[Any]]:
        parts = [] if self.with_deleted else [f"{scope.prefix}.IsDeleted = 0"]
        conditions = self._conditions(lambda operand: self._row_operand(scope, operand))
        if query.where:
            parts.append(conditions.sql(query.where))
        return " AND ".join(parts) or "1", conditions.parameters

    def _conditions(self, operand: Callable[[Column | Call], tuple[str, Field]]) -> Conditions:
        return Conditions(operand, self._semi_join, self.today)

    def _row_operand(self, scope: Scope, operand: Column | Call) -> tuple[str, Field]:
        if isinstance(operand, Call) and operand.name in AGGREGATES:
            raise ApiError(400, "MALFORMED_QUERY", f"\n{operand.name}(\n^\nunexpected token: '{operand.name}'")
        return self._operand(scope, operand)

    def _operand(self, scope: Scope, operand: Column | Call) -> tuple[str, Field]:
        if isinstance(operand, Call):
            return self._call(scope, operand)
        place = scope.place(operand.path)
        return place.sql, place.field

    def _call(self, scope: Scope, call: Call) -> tuple[str, Field]:
        if call.path is None and call.name != "COUNT":
            raise ApiError(400, "MALFORMED_QUERY", f"\n{call.name}()\nunexpected token: ')'")
        place = scope.place(call.path) if call.path else Place("*", _WHOLE, ())
        if call.name in {"SUM", "AVG"} and place.field.type not in NUMBER_TYPES:
            problem = f"field {place.field.name} does not support aggregate operator {call.name}"
            raise ApiError(400, "MALFORMED_QUERY", f"\n{problem}")
        if call.name in AGGREGATES:
            kept = call.name in {"MIN", "MAX"}
            shown = place.field if kept else (_WHOLE if call.name.startswith("COUNT") else _NUMBER)
            return AGGREGATES[call.name].format(place.sql), shown
        if call.name in DATE_PARTS or call.name == "DAY_ONLY":
            moment = f"{place.sql} / 1000, 'unixepoch'" if place.field.type == "datetime" else place.sql
            if call.name == "DAY_ONLY":
                return f"date({moment})", _DAY
            part = f"CAST(strftime('{DATE_PARTS[call.name]}', {moment}) AS INTEGER)"
            return (f"({part} + 1)" if call.name == "DAY_IN_WEEK" else part), _WHOLE
        raise ApiError(400, "MALFORMED_QUERY", f"\n{call.name}(\n^\nunexpected token: '{call.name}'")

    def _semi_join(self, query: Query) -> tuple[str, list[Any]]:
        item = self.find(query.source)
        if len(query.select) != 1 or not isinstance(query.select[0], Column):
            raise ApiError(400, "MALFORMED_QUERY", "\nThe inner select of a semi-join must have exactly one column")
        scope = Scope(self.schema, item, query.alias, prefix="s")
        place = scope.place(query.select[0].path)
        where, parameters = self._where(query, scope)
        return (
            f"SELECT {place.sql} FROM {scope.source} WHERE {where} AND {place.sql} IS NOT NULL{_limits(query)}",  # noqa: S608
            parameters,
        )

    def _order(self, order: tuple[Ordering, ...], scope: Scope) -> str:
        keys = []
        for key in order:
            sql, found = self._operand(scope, key.operand)
            if found.is_long_text:
                raise ApiError(400, "INVALID_FIELD", f"\nfield '{found.name}' can not be sorted in a query call")
            direction = "DESC" if key.descending else "ASC"
            # Salesforce puts empty values first in both directions unless told otherwise.
            nulls = " NULLS LAST" if key.nulls_last else (" NULLS FIRST" if key.descending else "")
            keys.append(f"{sql} {direction}{nulls}")
        return ", ".join(keys)

    def _select(self, plan: Plan, query: Query) -> None:
        scope = Scope(self.schema, plan.item, query.alias)
        columns = []
        for wanted in query.select:
            if isinstance(wanted, Query):
                plan.children.append(self._child(plan.item, wanted))
                continue
            for place in self._places(scope, wanted, query):
                columns.append(place.sql)
                plan.slots.append(Slot(place.path, place.field))
        plan.parents = list(scope.parents)
        shown = [f"{scope.prefix}.Id", *columns, *scope.parents.values()]
        plan.rows_sql = (
            f"SELECT {', '.join(shown)} FROM {scope.source} "  # noqa: S608
            f"WHERE {scope.prefix}.Id IN (SELECT value FROM json_each(?))"
        )

    def _places(self, scope: Scope, wanted: Column | Call, query: Query) -> list[Place]:
        if isinstance(wanted, Column):
            return [scope.place(wanted.path)]
        if wanted.name != "FIELDS" or not wanted.path:
            raise ApiError(400, "MALFORMED_QUERY", f"\n{wanted.name}(\n^\nunexpected token: '{wanted.name}'")
        which = wanted.path[0].upper()
        if which not in {"ALL", "STANDARD", "CUSTOM"}:
            raise no_such_column(wanted.path[0], scope.item)
        if which != "STANDARD" and (query.limit is None or query.limit > 200):
            raise ApiError(400, "MALFORMED_QUERY", "\nThe SOQL FIELDS function must have a LIMIT of at most 200")
        fields = [item for item in scope.item.fields.values() if which == "ALL" or item.custom == (which == "CUSTOM")]
        return [scope.place((item.name,)) for item in fields]

    def _child(self, parent: SObject, query: Query) -> ChildPlan:
        found = self.schema.child_relationship(parent.name, query.source)
        if found is None:
            problem = (
                f"Didn't understand relationship '{query.source}' in FROM part of query call. If you are attempting"
            )
            raise ApiError(
                400,
                "INVALID_TYPE",
                f"\n{query.source}\n^\n{problem} to use a custom relationship, be sure to append the '__r' after the "
                f"custom relationship name. {SEE_DESCRIBE}",
            )
        item, reference = found
        scope = Scope(self.schema, item, query.alias)
        where, parameters = self._where(query, scope)
        order = self._order(query.order, scope) or f"{scope.prefix}.Id"
        column = f"{scope.prefix}.{reference.name}"
        sql = (
            f"SELECT {column}, {scope.prefix}.Id FROM {scope.source} "  # noqa: S608
            f"WHERE {column} IN (SELECT value FROM json_each(?)) AND {where} ORDER BY {order}"
        )
        plan = Plan(item, "", [])
        self._select(plan, query)
        return ChildPlan(reference.children or "", query.limit, query.offset, sql, parameters, plan)

    def groups(self, query: Query, item: SObject) -> GroupPlan:
        """The plan of a query with aggregates."""
        scope = Scope(self.schema, item, query.alias)
        grouped = [self._operand(scope, key)[0] for key in query.group]
        columns, slots = [], []
        unnamed = 0
        for wanted in query.select:
            sql, found, name = self._group_column(scope, wanted, grouped)
            columns.append(sql)
            slots.append(Slot((name or f"expr{unnamed}",), found))
            unnamed += name is None
        where, parameters = self._where(query, scope)
        having = self._conditions(lambda operand: self._operand(scope, operand))
        test = f" HAVING {having.sql(query.having)}" if query.having else ""
        order = self._order(query.order, scope)
        sql = f"SELECT {', '.join(columns)} FROM {scope.source} WHERE {where}"  # noqa: S608
        if grouped:
            sql += f" GROUP BY {', '.join(grouped)}"
        sql += test + (f" ORDER BY {order}" if order else "") + _limits(query)
        return GroupPlan(sql, parameters + having.parameters, slots)

    def _group_column(
        self, scope: Scope, wanted: Column | Call | Query, grouped: list[str]
    ) -> tuple[str, Field, str | None]:
        if isinstance(wanted, Query):
            raise ApiError(400, "MALFORMED_QUERY", "\nA grouped query cannot have sub-queries")
        sql, found = self._operand(scope, wanted)
        is_aggregate = isinstance(wanted, Call) and wanted.name in AGGREGATES
        if not is_aggregate and sql not in grouped:
            name = ".".join(wanted.path or ())
            raise ApiError(400, "MALFORMED_QUERY", f"\nField must be grouped or aggregated: {name}")
        return sql, found, wanted.alias if isinstance(wanted, Call) else found.name


def is_grouped(query: Query) -> bool:
    """Whether a query shows groups and not records."""
    return bool(query.group) or any(isinstance(item, Call) and item.name in AGGREGATES for item in query.select)


def _limits(query: Query) -> str:
    if query.offset > 2000:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "\nMaximum SOQL offset allowed is 2000")
    limit = f" LIMIT {query.limit}" if query.limit is not None else (" LIMIT -1" if query.offset else "")
    return limit + (f" OFFSET {query.offset}" if query.offset else "")

"""Runs queries: pages, locators, parents and children nested as Salesforce nests them."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.errors import ApiError
from sandbox.ids import make_id
from sandbox.soql.ast import Call, Query
from sandbox.soql.compiler import ChildPlan, Compiler, Plan, is_grouped
from sandbox.soql.parser import parse
from sandbox.values import shown

if TYPE_CHECKING:
    from sandbox.org import Org

Answer = dict[str, Any]
LOCATOR_MS = 2 * 86_400_000
_MOST_LOCATORS = 200


@dataclass(frozen=True, slots=True)
class Locator:
    """The rest of an answer: which ids are still to come."""

    plan: Plan
    ids: list[str]
    made_at: int


class Queries:
    """Answers queries, with addresses below one API version's path."""

    def __init__(self, org: Org, base: str) -> None:
        self.org = org
        self.base = base

    def run(self, text: str, *, with_deleted: bool = False, page: int = 2000) -> Answer:
        """The answer to a query, its first page at most ``page`` records."""
        query = parse(text)
        day = datetime.fromtimestamp(self.org.clock() / 1000, UTC).date()
        compiler = Compiler(self.org.schema, day, with_deleted=with_deleted)
        item = compiler.find(query.source)
        with self.org.db.transaction():
            if len(query.select) == 1 and query.select[0] == Call("COUNT", None):
                row = self.org.db.one(*compiler.count(query, item))
                return {"totalSize": row[0] if row else 0, "done": True, "records": []}
            if is_grouped(query):
                return self._groups(compiler, query)
            plan = compiler.records(query, item)
            _refuse_twice(plan)
            ids = [row[0] for row in self.org.db.all(plan.ids_sql, plan.ids_parameters)]
            return self._page(plan, ids, 0, page)

    def more(self, locator: str, page: int = 2000) -> Answer:
        """The page a locator stands for; it may be asked for again."""
        name, _, at = locator.rpartition("-")
        found: Locator | None = self.org.locators.get(name)
        if found is None or not at.isdigit() or found.made_at + LOCATOR_MS < self.org.clock():
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        with self.org.db.transaction():
            return self._page(found.plan, found.ids, int(at), page, name)

    def by_id(self, item_name: str, record_id: str, fields: list[str]) -> dict[str, Any] | None:
        """One record with these fields, deleted or not; None where there is none."""
        query = parse(f"SELECT {', '.join(fields)} FROM {item_name}")  # noqa: S608 - SOQL, read by the grammar
        compiler = Compiler(self.org.schema, datetime.fromtimestamp(0, UTC).date(), with_deleted=True)
        plan = compiler.records(query, compiler.find(item_name))
        with self.org.db.transaction():
            return self._records(plan, [record_id]).get(record_id)

    def _page(self, plan: Plan, ids: list[str], start: int, page: int, name: str = "") -> Answer:
        wanted = ids[start : start + page]
        found = self._records(plan, wanted)
        # A record can vanish for good only by a reset; one that changed is shown as it is now.
        records = [found[record_id] for record_id in wanted if record_id in found]
        end = start + len(wanted)
        answer: Answer = {"totalSize": len(ids), "done": end >= len(ids), "records": records}
        if end < len(ids):
            name = name or self._keep(plan, ids)
            answer["nextRecordsUrl"] = f"{self.base}/query/{name}-{end}"
        return answer

    def _keep(self, plan: Plan, ids: list[str]) -> str:
        name = make_id("01g", secrets.randbelow(62**9))
        self.org.locators[name] = Locator(plan, ids, self.org.clock())
        while len(self.org.locators) > _MOST_LOCATORS:
            self.org.locators.pop(next(iter(self.org.locators)))
        return name

    def _records(self, plan: Plan, ids: list[str]) -> dict[str, dict[str, Any]]:
        rows = self.org.db.all(plan.rows_sql, (orjson.dumps(ids).decode(),))
        records = {row[0]: self._record(plan, row) for row in rows}
        for child in plan.children:
            self._attach(child, ids, records)
        return records

    def _record(self, plan: Plan, row: tuple[Any, ...]) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": self._attributes(plan.item.name, row[0])}
        parents = dict(zip(plan.parents, row[1 + len(plan.slots) :], strict=True)) if plan.parents else {}
        for slot, value in zip(plan.slots, row[1:], strict=False):
            holder = record if len(slot.path) == 1 else self._parent(record, slot.path[:-1], parents)
            if holder is not None:
                holder[slot.path[-1]] = shown(slot.field, value)
        return record

    def _parent(
        self, record: dict[str, Any], path: tuple[str, ...], parents: dict[tuple[str, ...], Any]
    ) -> dict[str, Any] | None:
        holder = record
        for depth in range(1, len(path) + 1):
            name, parent_id = path[depth - 1], parents[path[:depth]]
            if parent_id is None:
                holder[name] = None
                return None
            item = self.org.schema.of_id(parent_id)
            attributes = self._attributes(item.name if item else "Name", parent_id)
            holder = holder.setdefault(name, {"attributes": attributes})
        return holder

    def _attach(self, child: ChildPlan, ids: list[str], records: dict[str, dict[str, Any]]) -> None:
        by_parent = defaultdict(list)
        for parent_id, record_id in self.org.db.all(child.sql, [orjson.dumps(ids).decode(), *child.parameters]):
            by_parent[parent_id].append(record_id)
        end = None if child.limit is None else child.offset + child.limit
        chosen = {parent_id: found[child.offset : end] for parent_id, found in by_parent.items()}
        shown_children = self._records(child.plan, [one for found in chosen.values() for one in found])
        for parent_id, record in records.items():
            found = [shown_children[one] for one in chosen.get(parent_id, []) if one in shown_children]
            record[child.name] = {"totalSize": len(found), "done": True, "records": found} if found else None

    def _groups(self, compiler: Compiler, query: Query) -> Answer:
        plan = compiler.groups(query, compiler.find(query.source))
        records = [
            {"attributes": {"type": "AggregateResult"}}
            | {slot.path[0]: shown(slot.field, value) for slot, value in zip(plan.slots, row, strict=True)}
            for row in self.org.db.all(plan.sql, plan.parameters)
        ]
        if len(records) > 2000:
            raise ApiError(400, "EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT")
        return {"totalSize": len(records), "done": True, "records": records}

    def _attributes(self, name: str, record_id: str) -> dict[str, str]:
        return {"type": name, "url": f"{self.base}/sobjects/{name}/{record_id}"}


def _refuse_twice(plan: Plan) -> None:
    """Salesforce shows no field twice; a query that names one so is refused, in its sub-queries too."""
    seen: set[str] = set()
    for slot in plan.slots:
        name = ".".join(slot.path)
        if name in seen:
            raise ApiError(400, "INVALID_FIELD", f"\nduplicate field selected: {name}")
        seen.add(name)
    for child in plan.children:
        _refuse_twice(child.plan)

"""Where names of a query lead: to columns of its object and, by joins, of its parents."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.database import quoted
from sandbox.errors import ApiError
from sandbox.formula import formula_sql
from sandbox.schema import Field, Schema, SObject

NAME_FIELDS = frozenset({"id", "name", "firstname", "lastname", "email", "username", "phone"})
"""What a parent that may be of several kinds shows, besides Type."""

SEE_DESCRIBE = "Please reference your WSDL or the describe call for the appropriate names."

_TYPE = Field("Type", "string", "Type", 40)


@dataclass(frozen=True, slots=True)
class Place:
    """A resolved name: its SQL, its field, and the path as it is shown."""

    sql: str
    field: Field
    path: tuple[str, ...]


class Scope:
    """Resolves names of one query and collects the joins they need."""

    def __init__(self, schema: Schema, item: SObject, alias: str | None = None, prefix: str = "t") -> None:
        self.schema = schema
        self.item = item
        self.prefix = prefix
        self.parents: dict[tuple[str, ...], str] = {}
        self._alias = (alias or item.name).lower()
        self._joins: dict[str, str] = {}

    @property
    def source(self) -> str:
        """The FROM part: the object's table and every join asked for so far."""
        return " ".join([f"{quoted(self.item.name)} {self.prefix}", *self._joins.values()])

    def place(self, path: tuple[str, ...]) -> Place:
        """The column behind a path; raises ApiError with INVALID_FIELD where there is none."""
        if len(path) > 1 and path[0].lower() in {self._alias, self.item.name.lower()}:
            path = path[1:]
        item, alias = self.item, self.prefix
        shown: tuple[str, ...] = ()
        for step, name in enumerate(path[:-1]):
            reference = item.relationships.get(name.lower())
            if reference is None:
                raise _no_such_relationship(name)
            shown = (*shown, reference.relationship or name)
            self.parents[shown] = f"{alias}.{quoted(reference.name)}"
            if reference.polymorphic:
                return self._of_any_kind(alias, reference, shown, path[step + 1 :])
            item, alias = self._join(alias, reference, reference.to[0])
        field = item.by_lower.get(path[-1].lower())
        if field is None:
            raise no_such_column(path[-1], item)
        return Place(column_sql(item, field, alias), field, (*shown, field.name))

    def _join(self, alias: str, reference: Field, target: str) -> tuple[SObject, str]:
        joined = f"{alias}_{reference.name}_{target}"
        self._joins.setdefault(
            joined,
            f"LEFT JOIN {quoted(target)} {joined} ON {joined}.Id = {alias}.{quoted(reference.name)}",
        )
        return self.schema.objects[target], joined

    def _of_any_kind(self, alias: str, reference: Field, shown: tuple[str, ...], rest: tuple[str, ...]) -> Place:
        if len(rest) > 1 or (rest[0].lower() not in NAME_FIELDS and rest[0].lower() != "type"):
            raise ApiError(400, "INVALID_FIELD", f"\nNo such column '{rest[0]}' on entity 'Name'.")
        column = f"{alias}.{quoted(reference.name)}"
        if rest[0].lower() == "type":
            kinds = " ".join(f"WHEN '{self.schema.objects[name].prefix}' THEN '{name}'" for name in reference.to)
            return Place(f"(CASE substr({column}, 1, 3) {kinds} END)", _TYPE, (*shown, "Type"))
        found, field = [], None
        for target in reference.to:
            item, joined = self._join(alias, reference, target)
            if known := item.by_lower.get(rest[0].lower()):
                field = known
                found.append(column_sql(item, known, joined))
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"\nNo such column '{rest[0]}' on entity 'Name'.")
        sql = found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"
        return Place(sql, field, (*shown, field.name))


def column_sql(item: SObject, field: Field, alias: str) -> str:
    """A field as SQL: its column, or what a formula or a joined name computes."""
    if field.formula:
        return formula_sql(item, field.formula, alias)
    if field.joins:
        parts = " || ".join(f"coalesce({alias}.{quoted(name)} || ' ', '')" for name in field.joins)
        return f"nullif(trim({parts}), '') COLLATE NOCASE"
    return f"{alias}.{quoted(field.name)}"


def no_such_column(name: str, item: SObject) -> ApiError:
    """The error for a field the object does not have."""
    return ApiError(
        400,
        "INVALID_FIELD",
        f"\n{name}\n^\nERROR at Row:1:Column:1\nNo such column '{name}' on entity '{item.name}'. If you are attempting "
        f"to use a custom field, be sure to append the '__c' after the custom field name. {SEE_DESCRIBE}",
    )


def _no_such_relationship(name: str) -> ApiError:
    return ApiError(
        400,
        "INVALID_FIELD",
        f"\nDidn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, "
        f"be sure to append the '__r' after the custom relationship name. {SEE_DESCRIBE}",
    )

"""Formula fields: the part of the formula language our package uses, translated to SQL.

A function it does not know fails the deploy of the field, as a wrong formula does on Salesforce.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import LarkError, VisitError

from sandbox.database import quoted
from sandbox.schema import NUMBER_TYPES, SObject

DAY_MS = 86_400_000


class FormulaInvalid(ValueError):
    """The formula cannot be read, or names something unknown."""


@dataclass(frozen=True, slots=True)
class Term:
    """A piece of SQL and the kind of value it gives: number, text, boolean, datetime or null."""

    sql: str
    kind: str


def formula_sql(item: SObject, formula: str, alias: str) -> str:
    """The formula as an SQL expression over the table of this alias; raises FormulaInvalid."""
    try:
        term: Term = _Translator(item, alias).transform(_grammar().parse(formula))
    except VisitError as error:
        raise FormulaInvalid(str(error.orig_exc)) from error
    except LarkError as error:
        raise FormulaInvalid(f"Syntax error. {str(error).splitlines()[0]}") from error
    return term.sql


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    return Lark((Path(__file__).parent / "formula.lark").read_text(encoding="utf-8"), parser="lalr")


def _blank(term: Term) -> str:
    return f"({term.sql} IS NULL)"


def _if(args: list[Term]) -> Term:
    test, yes, no = args
    kind = yes.kind if yes.kind != "null" else no.kind
    return Term(f"(CASE WHEN {test.sql} THEN {yes.sql} ELSE {no.sql} END)", kind)


def _round(args: list[Term]) -> Term:
    return Term(f"round({args[0].sql}, {args[1].sql})", "number")


FUNCTIONS: dict[str, tuple[int, Callable[[list[Term]], Term]]] = {
    "IF": (3, _if),
    "ISBLANK": (1, lambda args: Term(_blank(args[0]), "boolean")),
    "BLANKVALUE": (2, lambda args: Term(f"coalesce({args[0].sql}, {args[1].sql})", args[0].kind)),
    "NOT": (1, lambda args: Term(f"(NOT {args[0].sql})", "boolean")),
    "AND": (0, lambda args: Term("(" + " AND ".join(arg.sql for arg in args) + ")", "boolean")),
    "OR": (0, lambda args: Term("(" + " OR ".join(arg.sql for arg in args) + ")", "boolean")),
    "ROUND": (2, _round),
    "ABS": (1, lambda args: Term(f"abs({args[0].sql})", "number")),
    "MAX": (0, lambda args: Term("max(" + ", ".join(arg.sql for arg in args) + ")", "number")),
    "MIN": (0, lambda args: Term("min(" + ", ".join(arg.sql for arg in args) + ")", "number")),
    "ISPICKVAL": (2, lambda args: Term(f"({args[0].sql} IS {args[1].sql})", "boolean")),
    "TEXT": (1, lambda args: Term(f"CAST({args[0].sql} AS TEXT)", "text")),
}
"""Name → number of arguments (0: any), and the translation."""


class _Translator(Transformer[Token, Term]):
    def __init__(self, item: SObject, alias: str) -> None:
        super().__init__()
        self._item = item
        self._alias = alias

    def number(self, children: list[Any]) -> Term:
        return Term(str(children[0]), "number")

    def string(self, children: list[Any]) -> Term:
        return Term("'" + children[0][1:-1].replace("'", "''") + "'", "text")

    def name(self, children: list[Any]) -> Term:
        name = str(children[0])
        if name.upper() in {"NULL", "TRUE", "FALSE"}:
            return {"NULL": Term("NULL", "null"), "TRUE": Term("1", "boolean"), "FALSE": Term("0", "boolean")}[
                name.upper()
            ]
        field = self._item.by_lower.get(name.lower())
        if field is None:
            raise FormulaInvalid(f"Field {name} does not exist. Check spelling.")
        if field.formula:
            return Term(formula_sql(self._item, field.formula, self._alias), "number")
        kind = (
            "number" if field.type in NUMBER_TYPES else {"datetime": "datetime", "boolean": "boolean"}.get(field.type)
        )
        return Term(f"{self._alias}.{quoted(field.name)}", kind or "text")

    def arithmetic(self, children: list[Any]) -> Term:
        left, operator, right = children
        times = (left.kind == "datetime", right.kind == "datetime")
        if times == (True, True):
            if operator != "-":
                raise FormulaInvalid("Two date-times can only be subtracted.")
            return Term(f"(({left.sql} - {right.sql}) / {DAY_MS}.0)", "number")
        if any(times):
            days = right if times[0] else left
            moment = left if times[0] else right
            return Term(f"({moment.sql} {operator} CAST({days.sql} * {DAY_MS} AS INTEGER))", "datetime")
        if operator == "/":
            return Term(f"({left.sql} / nullif(CAST({right.sql} AS REAL), 0))", "number")
        return Term(f"({left.sql} {operator} {right.sql})", "number")

    def compare(self, children: list[Any]) -> Term:
        left, operator, right = children
        sql = {"==": "=", "<>": "!="}.get(str(operator), str(operator))
        return Term(f"({left.sql} {sql} {right.sql})", "boolean")

    def both(self, children: list[Any]) -> Term:
        return Term(f"({children[0].sql} AND {children[1].sql})", "boolean")

    def either(self, children: list[Any]) -> Term:
        return Term(f"({children[0].sql} OR {children[1].sql})", "boolean")

    def negative(self, children: list[Any]) -> Term:
        return Term(f"(-{children[0].sql})", "number")

    def inverse(self, children: list[Any]) -> Term:
        return Term(f"(NOT {children[0].sql})", "boolean")

    def call(self, children: list[Any]) -> Term:
        name, args = str(children[0]).upper(), [child for child in children[1:] if child is not None]
        known = FUNCTIONS.get(name)
        if known is None:
            raise FormulaInvalid(f"Unknown function {children[0]}. Check spelling.")
        if (known[0] and len(args) != known[0]) or not args:
            raise FormulaInvalid(f"Incorrect number of parameters for function '{name}()'.")
        return known[1](args)

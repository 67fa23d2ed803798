"""From the text of a query to its tree; what the grammar does not know is MALFORMED_QUERY."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken

from sandbox.errors import ApiError
from sandbox.soql.ast import Call, Column, Comparison, Literal, Logic, Ordering, Query, SemiJoin

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@lru_cache(maxsize=512)
def parse(text: str) -> Query:
    """The tree of one query; raises ApiError with MALFORMED_QUERY and the place, as Salesforce does."""
    try:
        tree = _grammar().parse(text)
    except UnexpectedToken as error:
        raise malformed(text, error.column, f"unexpected token: '{error.token}'") from error
    except UnexpectedInput as error:
        raise malformed(text, error.column, f"unexpected token: '{text[max(error.column - 1, 0) :][:20]}'") from error
    query: Query = _Tree().transform(tree)
    return query


def malformed(text: str, column: int, problem: str) -> ApiError:
    """The error Salesforce gives for a query it cannot read: a bit of the text, the place, the problem."""
    at = max(column - 1, 0)
    excerpt = text[max(at - 30, 0) : at + 20].replace("\n", " ")
    return ApiError(
        400, "MALFORMED_QUERY", f"\n{excerpt}\n{' ' * min(at, 30)}^\nERROR at Row:1:Column:{column}\n{problem}"
    )


def unescape(quoted: str, *, pattern: bool = False) -> str:
    r"""The text of a quoted string; in a pattern, \% and \_ stay escaped."""

    def replace(found: re.Match[str]) -> str:
        char = found.group(1)
        if pattern and char in "%_\\":
            return "\\" + char
        return chr(int(char[1:], 16)) if len(char) > 1 else _ESCAPES.get(char.lower(), char)

    return re.sub(r"\\([uU][0-9a-fA-F]{4}|.)", replace, quoted[1:-1], flags=re.DOTALL)


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=False)


class _Tree(Transformer[Token, Any]):
    """Turns the parse tree into the query's own."""

    def start(self, children: list[Any]) -> Query:
        return children[0]  # type: ignore[no-any-return]

    def query(self, children: list[Any]) -> Query:
        parts = [part for part in children if not (isinstance(part, Token) and part.type in {"SELECT", "FROM"})]
        select, names, clauses = parts[0], [str(p) for p in parts[1:] if isinstance(p, Token)], {}
        for part in parts[1:]:
            if isinstance(part, dict):
                clauses.update(part)
        return Query(select, names[0], names[1] if len(names) > 1 else None, **clauses)

    def select_list(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def column(self, children: list[Any]) -> Column:
        return Column(tuple(children[0].split(".")))

    def call(self, children: list[Any]) -> Call:
        inside = children[1]
        return Call(children[0].upper(), tuple(inside.split(".")) if inside else None)

    def aliased(self, children: list[Any]) -> Call:
        call: Call = children[0]
        return Call(call.name, call.path, str(children[1])) if len(children) > 1 else call

    def subquery(self, children: list[Any]) -> Query:
        return children[0]  # type: ignore[no-any-return]

    def where(self, children: list[Any]) -> dict[str, Any]:
        return {"where": children[1]}

    def group(self, children: list[Any]) -> dict[str, Any]:
        clause: dict[str, Any] = {"group": tuple(c for c in children if isinstance(c, Column | Call))}
        if isinstance(children[-1], dict):
            clause |= children[-1]
        return clause

    def having(self, children: list[Any]) -> dict[str, Any]:
        return {"having": children[1]}

    def all_of(self, children: list[Any]) -> Logic:
        return Logic("AND", tuple(c for c in children if not isinstance(c, Token)))

    def any_of(self, children: list[Any]) -> Logic:
        return Logic("OR", tuple(c for c in children if not isinstance(c, Token)))

    def negated(self, children: list[Any]) -> Logic:
        return Logic("NOT", (children[1],))

    def compared(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], {"<>": "!="}.get(children[1], str(children[1])), (children[2],))

    def like(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], "LIKE", (Literal("STRING", str(children[2])),))

    def among(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], "IN", children[-1])

    def not_among(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], "NOT IN", children[-1])

    def includes(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], "INCLUDES", children[-1])

    def excludes(self, children: list[Any]) -> Comparison:
        return Comparison(children[0], "EXCLUDES", children[-1])

    def in_query(self, children: list[Any]) -> SemiJoin:
        return SemiJoin(children[0], True, children[-1])

    def not_in_query(self, children: list[Any]) -> SemiJoin:
        return SemiJoin(children[0], False, children[-1])

    def values(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def value(self, children: list[Any]) -> Literal:
        return Literal(children[0].type, str(children[0]))

    def order(self, children: list[Any]) -> dict[str, Any]:
        return {"order": tuple(c for c in children if isinstance(c, Ordering))}

    def order_item(self, children: list[Any]) -> Ordering:
        words = [str(c).upper() for c in children[1:]]
        return Ordering(children[0], "DESC" in words, "LAST" in words)

    def nulls(self, children: list[Any]) -> str:
        return str(children[1])

    def limit(self, children: list[Any]) -> dict[str, Any]:
        return {"limit": int(children[1])}

    def offset(self, children: list[Any]) -> dict[str, Any]:
        return {"offset": int(children[1])}

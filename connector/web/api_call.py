"""What an operation of the API is, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from connector.domain.events import format_time, from_millis
from connector.domain.people import Principal
from connector.errors import InputInvalid, PayloadUnreadable
from connector.flows.context import Context
from connector.web.permissions import sees_personal

Model = TypeVar("Model", bound=BaseModel)


class Nothing(BaseModel, extra="forbid"):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one operation, read and checked."""

    ctx: Context
    principal: Principal
    path: Mapping[str, str | int]
    query: BaseModel
    body: BaseModel
    raw: bytes
    key: str | None
    timezone: str
    extensions: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def personal(self) -> bool:
        """Whether the one who asks may see names, handles and texts."""
        return sees_personal(self.principal.role)

    def text(self, name: str) -> str:
        """A part of the path."""
        return str(self.path[name])

    def number(self, name: str) -> int:
        """A numeric part of the path."""
        return int(self.path[name])


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: where it is, what it takes and gives, and the function that carries it out."""

    name: str
    method: str
    path: str
    summary: str
    handler: Callable[[Call], BaseModel]
    returns: type[BaseModel]
    query: type[BaseModel] = Nothing
    body: type[BaseModel] = Nothing
    status: int = 200
    tag: str = ""

    def read_query(self, given: Mapping[str, str]) -> BaseModel:
        """The query string as its model; raises InputInvalid naming what is wrong."""
        return checked(self.query, dict(given), "query")

    def read_body(self, body: bytes) -> BaseModel:
        """The body as its model; raises InputInvalid naming what is wrong."""
        if self.body is Nothing and not body:
            return Nothing()
        try:
            value = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError as error:
            raise PayloadUnreadable(f"The body is not JSON: it breaks off at position {error.pos}.") from error
        if _holds_nul(value):
            raise InputInvalid("The body holds a NUL character (\\u0000), which no text has; leave it out.")
        return checked(self.body, value, "body")


def checked(model: type[Model], value: object, where: str) -> Model:
    """The value as the model; raises InputInvalid naming every wrong part, but never what stood there."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)
        named = [
            f"{'.'.join((where, *map(str, each['loc'])))}: {each['msg'].removeprefix('Value error, ')}"
            for each in wrong[:5]
        ]
        raise InputInvalid(f"{'; '.join(named)}.") from None


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(each) for key, each in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def iso(millis: int | None) -> str | None:
    """Epoch milliseconds as the API tells times: UTC with milliseconds and Z."""
    return None if millis is None else format_time(from_millis(millis))

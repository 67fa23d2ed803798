"""Parts that several operations share: paging, times, and the filters by them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from connector.domain.events import to_millis

Limit = Annotated[int, Field(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str | None, Field(description="`next` of the page before")]


def _written_out(value: object) -> object:
    """Refuses a bare number: whether it means seconds or milliseconds is anybody's guess."""
    if value is None or (isinstance(value, str) and "-" in value.lstrip("-")):
        return value
    raise ValueError("write it as 2026-01-31T09:30:00Z")


Moment = Annotated[
    AwareDatetime | None,
    BeforeValidator(_written_out),
    Field(description="ISO 8601 with its zone: 2026-01-31T09:30:00Z"),
]


class Paged(BaseModel, extra="forbid"):
    """The parameters of every list."""

    limit: Limit = 50
    cursor: Cursor = None


class Done(BaseModel):
    """What an act changed."""

    changed: int = Field(description="How many rows were changed")


def millis(moment: datetime | None) -> int | None:
    """The moment as the store keeps it."""
    return None if moment is None else to_millis(moment)

"""Parts that several operations share: paging, times, and the filters by them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from connector.domain.events import to_millis

Limit = Annotated[int, Field(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str | None, Field(description="`next` of the page before")]
Moment = Annotated[AwareDatetime | None, Field(description="ISO 8601 with its zone: 2026-01-31T09:30:00Z")]


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

"""The two ways Salesforce says no: to a whole request, and to one record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class ApiError(Exception):
    """The whole request is refused, with an HTTP status and Salesforce's error code."""

    def __init__(self, status: int, code: str, message: str, fields: Sequence[str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        super().__init__(f"{code}: {message}")

    def body(self) -> list[dict[str, Any]]:
        """The error as Salesforce writes it at the top level of an answer."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error]


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one record was refused; in collections the code stands under ``statusCode``."""

    code: str
    message: str
    fields: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The error as it stands in a collection's result."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}


class RowRefused(Exception):
    """One record cannot be written."""

    def __init__(self, code: str, message: str, *fields: str) -> None:
        self.error = RowError(code, message, fields)
        super().__init__(f"{code}: {message}")


STATUS_OF_ROW = {"ENTITY_IS_DELETED": 404, "NOT_FOUND": 404, "INVALID_CROSS_REFERENCE_KEY": 404}
"""HTTP status of a single-record request whose record is refused; all others are 400."""

"""What a Salesforce answer asks for: the outcome of one row, and the error of a whole call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.crm.port import Outcome, RowResult
from connector.errors import ConnectorError, CrmRateLimited, CrmRejected, CrmUnavailable, Misconfigured

LONGEST_WAIT = 3600.0
"""Seconds to wait at most because an answer asks for it: an edge may ask for days, and nobody would notice."""

LIMIT_PAUSE = 900.0
"""Seconds to wait at the daily limit when the org names none: it is a rolling 24 hours, so a little comes back soon."""

CONCURRENT_PAUSE = 20.0
"""Seconds to wait where too many long calls run in the org at once: the same error code, and over in moments."""

OUTCOMES: dict[str, Outcome] = {
    code: outcome
    for outcome, codes in {
        Outcome.RETRY: (
            "UNABLE_TO_LOCK_ROW", "UNABLE_TO_LOCK_RECORD", "SERVER_UNAVAILABLE", "SERVICE_UNAVAILABLE",
            "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "INVALID_QUERY_LOCATOR",
            "UNKNOWN_EXCEPTION", "INTERNAL_SERVER_ERROR", "BAD_GATEWAY",
            "ORG_IN_MAINTENANCE", "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "TOO_MANY_APEX_REQUESTS",
            "DUPLICATE_VALUE",  # lost the race on our unique key: the same upsert finds the record next time
            "DUPLICATE_EXTERNAL_ID", "ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED",
            "INVALID_SESSION_ID", "SESSION_EXPIRED", "INVALID_AUTH_HEADER",
        ),
        Outcome.WAIT: ("REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "EXCEEDED_QUOTA"),
        Outcome.REMAP: ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"),
        Outcome.HALT: (
            "STORAGE_LIMIT_EXCEEDED", "API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG", "INSUFFICIENT_ACCESS",
            "INSUFFICIENT_ACCESS_OR_READONLY", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY_DISABLED", "INVALID_TYPE",
            "INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
    }.items()
    for code in codes
}  # fmt: skip
"""Outcome by error code; a code that is not listed is the record's own fault and makes it dead, in the org's words."""

_SECURITY_POLICY = "TXN_SECURITY_"
_SESSION_ENDED = frozenset({"INVALID_SESSION_ID", "SESSION_EXPIRED", "INVALID_AUTH_HEADER"})
_MISSING_PARENT = "foreign key external id"
_LOCK_IN_A_TRIGGER = "UNABLE_TO_LOCK_ROW"
_TOO_MUCH_AT_ONCE = "System.LimitException"
_CONCURRENT = "concurrent"
_BUSY = frozenset({406, 408, 420, 425, 429, 500, 502, 503, 504})


def outcome_of(code: str) -> Outcome | None:
    """What an error code asks for; None for one that is not known: then the record itself is at fault."""
    return Outcome.HALT if code.startswith(_SECURITY_POLICY) else OUTCOMES.get(code)


class WireFault(Exception):
    """An answer that is no success: its HTTP status, the org's code and words, and how long it asks to wait."""

    def __init__(self, status: int, code: str = "", message: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    @property
    def session_expired(self) -> bool:
        """Whether a new token is needed."""
        return self.status == 401 or self.code in _SESSION_ENDED

    @property
    def blames_a_record(self) -> bool:
        """Whether the call failed for something in its records, so that the others may pass without it."""
        return self.status in (400, 413) and outcome_of(self.code) is None


def read_fault(status: int, body: object, retry_after: str | None) -> WireFault:
    """The fault in an answer's status, JSON body (or None) and Retry-After header."""
    code, message = _words(body)
    return WireFault(status, code, message, _wait(retry_after or ""))


def _wait(retry_after: str) -> float | None:
    """The seconds in a Retry-After header; None for a date or anything else: then our own schedule holds."""
    told = retry_after.strip()
    return min(LONGEST_WAIT, float(told)) if told.isascii() and told.isdigit() else None


def _words(body: object) -> tuple[str, str]:
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", ""
    code = first.get("errorCode") or first.get("statusCode") or first.get("error") or first.get("exceptionCode") or ""
    message = first.get("message") or first.get("error_description") or first.get("exceptionMessage") or ""
    return str(code), str(message)[:500]


GIVE_ACCESS = (
    "run `connector crm install`, give the run-as user the permission set Cross_Channel_Integration, then "
    "`connector check`"
)
GIVE_DEPLOYING = (
    "the run-as user needs the permission Modify Metadata, or an administrator deploys the folder salesforce "
    "(docs/salesforce-setup.md)"
)


def as_error(fault: WireFault, doing: str, cure: str = GIVE_ACCESS) -> ConnectorError:
    """The fault of a whole call in the tree by recovery; ``doing`` says what was asked, without personal data.

    ``cure`` is what an admin does when the org refuses it to the run-as user.
    """
    outcome = outcome_of(fault.code)
    words = f"{fault.code or fault.status}: {fault.message}".rstrip(": ")
    if outcome is Outcome.WAIT:
        return _limit_reached(fault)
    if fault.status in (420, 429):
        return CrmRateLimited(f"The CRM asks to slow down ({fault.status}).", retry_after=fault.retry_after)
    if fault.status in _BUSY or outcome is Outcome.RETRY:
        return CrmUnavailable(f"The CRM is busy or away ({words}) while {doing}.", retry_after=fault.retry_after)
    if 300 <= fault.status < 400:
        return Misconfigured(
            f"The CRM's address answers with a redirect ({fault.status}); set CONNECTOR_CRM_URL to the org's My Domain."
        )
    if fault.status in (403, 404, 410) or outcome is Outcome.HALT:
        return Misconfigured(f"The CRM refuses {doing} ({words}); {cure}.")
    return CrmRejected(f"The CRM rejects {doing} ({words}).")


def _limit_reached(fault: WireFault) -> CrmRateLimited:
    if _CONCURRENT in fault.message.casefold():
        return CrmRateLimited(
            f"Too many long calls of all apps run in the CRM at once ({fault.code}); it goes on by itself.",
            retry_after=fault.retry_after or CONCURRENT_PAUSE,
        )
    return CrmRateLimited(
        f"The CRM's API limit is reached ({fault.code}); writes wait until it allows more.",
        retry_after=fault.retry_after or LIMIT_PAUSE,
    )


def row_result(answer: Any) -> RowResult:
    """One row of a Collections answer as the port's result."""
    if not isinstance(answer, dict):
        return RowResult(Outcome.RETRY, code="ANSWER_UNREADABLE", message="The CRM's answer for this row is cut off.")
    if answer.get("success") is True:
        return RowResult(Outcome.OK, crm_id=answer.get("id"), created=bool(answer.get("created")))
    errors = answer.get("errors")
    return failed_row(errors if isinstance(errors, list) else [])


def is_too_much(result: RowResult) -> bool:
    """Whether the org's own triggers ran out of their limits: they see all records of a call at once."""
    return result.outcome is Outcome.DEAD and _TOO_MUCH_AT_ONCE in (result.message or "")


def failed_row(errors: Sequence[Any]) -> RowResult:
    """The result of a row that was not taken, from the org's list of errors."""
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    code = str(first.get("statusCode") or first.get("errorCode") or "UNKNOWN_EXCEPTION")
    message = str(first.get("message") or "")
    fields = tuple(str(each) for each in first.get("fields") or ())
    outcome = outcome_of(code) or Outcome.DEAD
    if _MISSING_PARENT in message.casefold():
        outcome = Outcome.REMAP
    elif outcome is Outcome.DEAD and _LOCK_IN_A_TRIGGER in message:
        outcome = Outcome.RETRY  # a trigger or flow of the org met the lock, and tells of it under its own code
    return RowResult(outcome, code=code, message=message[:500], fields=fields)

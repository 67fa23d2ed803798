"""The error tree, by what recovers from it.

Each class carries a stable ``code`` (used in problem+json, shelves and logs) and a default message: its docstring.
A message is one sentence: what, where, and the cure. It never holds a handle, a phone, an e-mail or a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from inspect import getdoc


class ConnectorError(Exception):
    """Something went wrong in the connector."""

    code = "connector_error"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or getdoc(type(self)) or self.code
        super().__init__(self.message)


class Misconfigured(ConnectorError):
    """A setting is missing or wrong; run `connector check` to see them all."""

    code = "misconfigured"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file or a setting: where it is, what it is, and the cure."""

    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.cure}"


class SettingsInvalid(Misconfigured):
    """Settings are wrong; each problem says where it stands and how to cure it."""

    code = "settings_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MappingInvalid(Misconfigured):
    """A mapping file is wrong; each problem names its file, line and path, and the cure."""

    code = "mapping_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SchemaOutdated(Misconfigured):
    """The store's schema is not the one this release needs; run `connector migrate`."""

    code = "schema_outdated"


class Refused(ConnectorError):
    """The request is wrong and is not retried."""

    code = "refused"


class SignatureInvalid(Refused):
    """The signature is missing or wrong; check that the source's secret is the provider's current one."""

    code = "signature_invalid"


class HandshakeRefused(Refused):
    """The handshake's token is not the configured one; copy it from the source's settings to the provider's page."""

    code = "handshake_refused"


class SourceUnknown(Refused):
    """No source of this name is configured; add it under [sources] in connector.toml."""

    code = "source_unknown"


class PayloadTooLarge(Refused):
    """The body is larger than the cap for this source."""

    code = "payload_too_large"


class EncodingRefused(Refused):
    """Compressed bodies are refused; send the body without Content-Encoding."""

    code = "encoding_refused"


class PayloadUnreadable(Refused):
    """The body cannot be read in the format that the source declares."""

    code = "payload_unreadable"


class InputInvalid(Refused):
    """The input is incomplete or wrong."""

    code = "input_invalid"


class EvidenceMissing(InputInvalid):
    """Consent needs the wording that was shown, the customer's words, and an answer for each purpose asked."""

    code = "evidence_missing"


class NoticeMismatch(InputInvalid):
    """The wording differs from the published notice; ask again with the current text."""

    code = "notice_mismatch"


class HandleInvalid(InputInvalid):
    """This cannot be a handle on that network; type it as the network shows it, or paste the profile's address."""

    code = "handle_invalid"


class NotFound(Refused):
    """There is nothing under this id."""

    code = "not_found"


class ContactNotFound(NotFound):
    """The CRM shows no such contact; run `connector crm sync`, or pick another."""

    code = "contact_not_found"


class Unauthenticated(Refused):
    """Sign in, or send an API key as a bearer token."""

    code = "unauthenticated"


class Forbidden(Refused):
    """This role may not do that; ask an admin for a key or account with the right role."""

    code = "forbidden"


class ConsentRequired(Refused):
    """No live consent permits this."""

    code = "consent_required"


class Conflict(Refused):
    """The request does not fit the present state."""

    code = "conflict"


class CoolingOff(Conflict):
    """The customer said no; asking again is not allowed yet."""

    code = "cooling_off"

    def __init__(self, message: str | None = None, *, until: datetime | None = None) -> None:
        self.until = until
        super().__init__(message)


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used with another request; use a new key."""

    code = "idempotency_conflict"


class Retryable(ConnectorError):
    """The outside is busy or away; the same call may succeed later."""

    code = "retryable"

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class CrmUnavailable(Retryable):
    """The CRM did not answer; writes wait and go out when it does."""

    code = "crm_unavailable"


class CrmRateLimited(Retryable):
    """The CRM's API limit is reached; writes wait until it allows more."""

    code = "crm_rate_limited"


class CrmLoginFailed(Retryable):
    """The CRM refused the login; check the client id, its secret or key, and the run-as user."""

    code = "crm_login_failed"


class StoreBusy(Retryable):
    """The store cannot take more right now; send again later."""

    code = "store_busy"


class Permanent(ConnectorError):
    """This will never succeed as it is; a person decides on the shelf."""

    code = "permanent"


class CrmRejected(Permanent):
    """The CRM rejected the record."""

    code = "crm_rejected"


class MappingUnmatched(Permanent):
    """No rule of the mapping fits this event; add one, then replay it from the shelf."""

    code = "mapping_unmatched"


class EventInvalid(Permanent):
    """An item of the delivery cannot be read; correct the mapping, then replay it from the shelf."""

    code = "event_invalid"
    cure = "Correct the mapping (`connector mappings try` shows what it makes of the body), then replay the item."


class AuthorDiffers(EventInvalid):
    """The network told of this item before as somebody else's, so it was left as it was."""

    code = "author_differs"
    cure = "If the sender's ids repeat, give its mapping a `scope` and replay the item; else drop it."

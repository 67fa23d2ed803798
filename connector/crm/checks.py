"""What `connector check` asks the org, each finding with its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from connector.crm.port import Budget, CrmCheck, Reading
from connector.errors import ConnectorError
from connector.settings import CrmSettings

INSTALL = "Run `connector crm install`."
ASSIGN = "Assign the permission set Cross_Channel_Integration to the run-as user."


class Org(Protocol):
    """The part of the gateway that the checks use."""

    def version(self) -> None:
        """Asks for the configured API version."""
        ...

    def fields(self, obj: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The object's fields, or None."""
        ...

    def budget(self) -> Budget | None:
        """Calls used and allowed."""
        ...


def check_org(
    org: Org, settings: CrmSettings, required: Mapping[str, Sequence[str]], reads: Mapping[str, Reading]
) -> list[CrmCheck]:
    """Every finding about login, version, package, permissions and budget; without a login only that one."""
    try:
        org.version()
    except ConnectorError as error:
        return [CrmCheck("CRM login", False, error.message, "See docs/salesforce-setup.md, then run this again.")]
    found = [CrmCheck("CRM login", True, f"signed in, API version {settings.api_version}")]
    for obj, fields in required.items():
        try:
            found += _object(obj, org.fields(obj), fields)
        except ConnectorError as error:
            found.append(CrmCheck(f"CRM object {obj}", False, error.message, ASSIGN))
    for obj, reading in reads.items():
        try:
            found.append(_reading(obj, org.fields(obj), reading))
        except ConnectorError as error:
            found.append(CrmCheck(f"CRM reading {obj}", False, error.message, ASSIGN))
    return [*found, _budget(org.budget(), settings.share)]


def _object(obj: str, described: Mapping[str, Mapping[str, Any]] | None, needed: Sequence[str]) -> Iterator[CrmCheck]:
    name = f"CRM object {obj}"
    if described is None:
        yield CrmCheck(name, False, "the org has no such object, or hides it", f"{INSTALL} {ASSIGN}")
        return
    missing = [each for each in needed if each not in described]
    locked = [each for each in needed if each in described and not described[each].get("updateable", True)]
    if missing:
        yield CrmCheck(name, False, f"the run-as user does not see {', '.join(missing)}", f"{INSTALL} {ASSIGN}")
    if locked:
        yield CrmCheck(name, False, f"the run-as user may not edit {', '.join(locked)}", ASSIGN)
    key = described.get(needed[0]) if needed else None
    if key is not None and not (key.get("externalId") and key.get("unique")):
        yield CrmCheck(name, False, f"{needed[0]} is not an external id with unique values", INSTALL)
    elif not missing and not locked:
        yield CrmCheck(name, True, f"{len(needed)} fields can be written")


def _reading(obj: str, described: Mapping[str, Mapping[str, Any]] | None, reading: Reading) -> CrmCheck:
    name = f"CRM reading {obj}"
    if described is None:
        if reading.is_needed:
            return CrmCheck(name, False, "the org hides it from the run-as user", ASSIGN)
        return CrmCheck(name, True, "the org has no such object, or hides it: nothing is read of it")
    hidden = [each for each in reading.fields if each not in described]
    if not hidden:
        return CrmCheck(name, True, f"{len(reading.fields)} fields can be read")
    if reading.is_needed:
        return CrmCheck(name, False, f"the run-as user does not see {', '.join(hidden)}", ASSIGN)
    return CrmCheck(name, True, f"read without {', '.join(hidden)}, which the run-as user does not see")


def _budget(budget: Budget | None, share: float) -> CrmCheck:
    name = "CRM API budget"
    if budget is None:
        return CrmCheck(name, True, "the org does not tell its limit")
    detail = f"{budget.used} of {budget.total} calls used in 24 hours; this connector takes at most {share:.0%}"
    if budget.used >= 0.9 * budget.total:
        return CrmCheck(name, False, detail, "Writes wait above 90 %: buy calls or find what else uses them.")
    return CrmCheck(name, True, detail)

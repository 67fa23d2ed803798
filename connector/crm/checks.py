"""What `connector check` asks the org, each finding with its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from connector.crm.port import Budget, CrmCheck, Reading, Writing
from connector.errors import ConnectorError, CrmRateLimited, CrmUnavailable
from connector.settings import CrmSettings

INSTALL = "Run `connector crm install`."
ASSIGN = "Assign the permission set Cross_Channel_Integration to the run-as user."


MOST_NAMED = 12
"""Values of a picklist that a cure names at most."""

Described = Mapping[str, Mapping[str, Any]]
"""The fields of an object by API name, as the org describes them."""


class Org(Protocol):
    """The part of the gateway that the checks use."""

    def version(self) -> None:
        """Asks for the configured API version."""
        ...

    def fields(self, obj: str) -> Described | None:
        """The object's fields, or None."""
        ...

    def budget(self) -> Budget | None:
        """Calls used and allowed."""
        ...


def check_org(
    org: Org, settings: CrmSettings, writes: Mapping[str, Writing], reads: Mapping[str, Reading]
) -> list[CrmCheck]:
    """Every finding about login, version, package, permissions and budget; without a login only that one."""
    try:
        org.version()
    except ConnectorError as error:
        return [CrmCheck("CRM login", False, error.message, _cure(error))]
    found = [CrmCheck("CRM login", True, f"signed in, API version {settings.api_version}")]
    for obj, writing in writes.items():
        try:
            found += _object(obj, org.fields(obj), writing)
        except ConnectorError as error:
            found.append(CrmCheck(f"CRM object {obj}", False, error.message, ASSIGN))
    for obj, reading in reads.items():
        try:
            found.append(_reading(obj, org.fields(obj), reading))
        except ConnectorError as error:
            found.append(CrmCheck(f"CRM reading {obj}", False, error.message, ASSIGN))
    return [*found, _budget(org.budget(), settings.share)]


def _cure(error: ConnectorError) -> str:
    if isinstance(error, CrmRateLimited):
        return "Wait, buy calls, or find what else uses them in the org's setup (System Overview)."
    if isinstance(error, CrmUnavailable):
        return "Run this again in a few minutes; status.salesforce.com tells of maintenance of the org's instance."
    return "See docs/salesforce-setup.md, then run this again."


def _object(obj: str, described: Described | None, writing: Writing) -> Iterator[CrmCheck]:
    name = f"CRM object {obj}"
    if described is None:
        yield CrmCheck(name, False, "the org has no such object, or hides it", f"{INSTALL} {ASSIGN}")
        return
    wrong = [*_access(described, writing), *_words(described, writing), *_shape(obj, described, writing)]
    for detail, cure in wrong:
        yield CrmCheck(name, False, detail, cure)
    if not wrong:
        yield CrmCheck(name, True, f"{len(writing.fields)} fields can be written")


def _access(described: Described, writing: Writing) -> Iterator[tuple[str, str]]:
    missing = [each for each in writing.fields if each not in described]
    locked = [each for each in writing.fields if each in described and not described[each].get("updateable", True)]
    if missing:
        yield f"the run-as user does not see {', '.join(missing)}", f"{INSTALL} {ASSIGN}"
    if locked:
        yield f"the run-as user may not edit {', '.join(locked)}", ASSIGN
    key = described.get(writing.fields[0]) if writing.fields else None
    if key is not None and not (key.get("externalId") and key.get("unique")):
        yield f"{writing.fields[0]} is not an external id with unique values", INSTALL


def _words(described: Described, writing: Writing) -> Iterator[tuple[str, str]]:
    """Values that a picklist lacks: a restricted one refuses them, another keeps them where no list view finds them."""
    for field, words in writing.words.items():
        told = described.get(field, {})
        active = [str(each["value"]) for each in told.get("picklistValues") or () if each.get("active", True)]
        lacking = sorted(words - set(active))
        if str(told.get("type")) != "picklist" or not lacking:
            continue
        has = ", ".join(active[:MOST_NAMED]) + (" …" if len(active) > MOST_NAMED else "")
        more = f"{INSTALL.removesuffix('.')}, or add" if told.get("custom") else "Add"
        yield (
            f"{field} has no value {', '.join(lacking)}",
            f"{more} it in the org's setup, or name one that it has in mappings/crm/salesforce.yml: {has}.",
        )


def _shape(obj: str, described: Described, writing: Writing) -> Iterator[tuple[str, str]]:
    """What the org wants of every record and is not given, and fields too short for what they are given."""
    wanted = [
        name
        for name, each in described.items()
        if name not in writing.fields and each.get("createable") and each.get("nillable") is False
        and not each.get("defaultedOnCreate")
    ]  # fmt: skip
    if wanted:
        yield (
            f"every new record needs {', '.join(wanted)}, which the connector does not write",
            f"Give it a default value in the org's setup, or require it on the page layout of {obj} instead.",
        )
    for field, most in writing.lengths.items():
        length = described.get(field, {}).get("length")
        if isinstance(length, int) and 0 < length < most:
            yield (
                f"{field} takes {length} letters, and is given up to {most}",
                (f"Write {length} for it in mappings/crm/salesforce.yml, or make the field longer."),
            )


def _reading(obj: str, described: Described | None, reading: Reading) -> CrmCheck:
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

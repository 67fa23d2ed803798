"""Salesforce behind the port: any org, and the local sandbox. The one importer of simple_salesforce.

simple-salesforce builds addresses, asks queries and follows their pages; the session, the token, refresh, retries and
errors are ours (wire, tokens, classify), because its own were measured to loop, to lose headers and to race.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from threading import Lock
from typing import Any, TypeVar

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.format import format_soql

from connector.crm.batches import BATCH, send_rows
from connector.crm.budget import Meter
from connector.crm.checks import check_org
from connector.crm.classify import GIVE_ACCESS, GIVE_DEPLOYING, WireFault, as_error, row_result
from connector.crm.deploy import deploy
from connector.crm.port import Budget, Calls, CrmCheck, Deleted, Outcome, Reading, Record, RowResult, Writing
from connector.crm.tokens import Token, TokenProvider
from connector.crm.wire import CrmSession
from connector.domain.clock import Clock, system_clock
from connector.domain.events import format_time
from connector.errors import CrmUnavailable, Misconfigured
from connector.settings import CrmSettings

T = TypeVar("T")

TIMEOUT = (5.0, 65.0)
PAGE = {"Sforce-Query-Options": "batchSize=2000"}
DESCRIBE_SECONDS = 3600.0
SHORTEST_SPAN = timedelta(minutes=2)
"""The org refuses spans of a minute or less."""


class SalesforceGateway:
    """A CRM (see crm.port) over Salesforce's REST API; safe to share among threads."""

    def __init__(
        self,
        settings: CrmSettings,
        *,
        writes: Mapping[str, Writing] | None = None,
        reads: Mapping[str, Reading] | None = None,
        clock: Clock = system_clock,
        timeout: tuple[float, float] = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._writes = dict(writes or {})
        self._reads = dict(reads or {})
        self._meter = Meter(clock)
        self._session = CrmSession(settings.url, self._meter, timeout)
        self._tokens = TokenProvider(settings, self._session, monotonic=monotonic)
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = Lock()
        self._client: tuple[int, Salesforce] | None = None
        self._described: dict[str, tuple[float, Mapping[str, Mapping[str, Any]] | None]] = {}

    def close(self) -> None:
        """Closes the connections to the org."""
        self._session.close()

    def upsert(self, obj: str, key_field: str, records: Sequence[Record], *, assign: bool = False) -> list[RowResult]:
        """One result per record, in order, by sObject Collections of at most 200; a poison record is found by halving.

        Raises Retryable or Misconfigured for a whole call; then nothing is known of its records. ``assign`` lets the
        org's assignment rules choose the owner.
        """
        # The same key twice in one call is refused by the org: the later record is the newer state.
        rows = {record[key_field]: record for record in records}
        results = self._send(f"composite/sobjects/{obj}/{key_field}", obj, list(rows.values()), assign=assign)
        by_key = dict(zip(rows, results, strict=True))
        return [by_key[record[key_field]] for record in records]

    def update(self, obj: str, records: Mapping[str, Record]) -> list[RowResult]:
        """One result per record, in order, each record under its record id, by Collections of at most 200.

        A record that was deleted stays deleted (REMAP), where an upsert by external key would make a second one.
        """
        rows = [{"id": record_id, **record} for record_id, record in records.items()]
        return [_under_its_id(each) for each in self._send("composite/sobjects", obj, rows, assign=False)]

    def _send(self, path: str, obj: str, rows: Sequence[Record], *, assign: bool) -> list[RowResult]:
        headers = {"Sforce-Auto-Assign": "TRUE" if assign else "FALSE"}
        results: list[RowResult] = []
        for start in range(0, len(rows), BATCH):
            results += send_rows(lambda part: self._patch(path, obj, part, headers), rows[start : start + BATCH])
        return results

    def _patch(self, path: str, obj: str, rows: Sequence[Record], headers: Mapping[str, str]) -> list[RowResult]:
        body = {"allOrNone": False, "records": [{"attributes": {"type": obj}, **row} for row in rows]}
        answers = self._ask(lambda sf: sf.restful(path, method="PATCH", json=body, headers=dict(headers)))
        if not isinstance(answers, list) or len(answers) != len(rows):
            # Which answer belongs to which record is then anyone's guess; all of them go again, by the same keys.
            return [row_result(None) for _ in rows]
        return [row_result(answer) for answer in answers]

    def changed(self, obj: str, fields: Sequence[str], since: datetime | None, *, where: str = "") -> Iterator[Record]:
        """Records whose SystemModstamp is at or after ``since``, oldest first, deleted and merged ones included."""
        conditions = [f"SystemModstamp >= {format_time(since)}"] if since else []
        conditions += [f"({where})"] if where else []
        clause = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        soql = f"SELECT {', '.join(fields)} FROM {obj}{clause} ORDER BY SystemModstamp, Id"  # noqa: S608 - names of the mapping file
        page = self._query(obj, soql, include_deleted=True)
        seen = len(page["records"])
        yield from page["records"]
        while not page["done"]:
            page = self._more(obj, page["nextRecordsUrl"], seen)
            seen += len(page["records"])
            yield from page["records"]

    def _more(self, obj: str, path: str, seen: int) -> Any:
        page = self._read(
            f"reading more of {obj}", lambda sf: sf.query_more(path, identifier_is_url=True, headers=dict(PAGE))
        )
        return _whole(obj, page, seen)

    def keyed(self, obj: str, key_field: str, keys: Sequence[str], *, deleted: bool = False) -> dict[str, str]:
        """Of these external keys, those the org already has, each with its record id; one that is there goes before
        one in the recycle bin, which ``deleted`` brings too."""
        found: dict[str, str] = {}
        for start in range(0, len(keys), BATCH):
            soql = format_soql(
                f"SELECT Id, {key_field}, IsDeleted FROM {obj} WHERE {key_field} IN {{keys}}",  # noqa: S608 - names of the mapping file
                keys=list(keys[start : start + BATCH]),
            )
            rows = self._query(obj, soql, include_deleted=deleted)["records"]
            for row in sorted(rows, key=itemgetter("IsDeleted"), reverse=True):
                found[row[key_field]] = row["Id"]
        return found

    def _query(self, obj: str, soql: str, *, include_deleted: bool = False) -> Any:
        page = self._read(
            f"reading {obj}", lambda sf: sf.query(soql, include_deleted=include_deleted, headers=dict(PAGE))
        )
        return _whole(obj, page, 0)

    def deleted(self, obj: str, since: datetime, until: datetime) -> Deleted:
        """Ids deleted in the span, and how far the org vouches for the list; too long a list is asked for in parts."""
        since = min(since, until - SHORTEST_SPAN)
        span = {"start": _seconds(since), "end": _seconds(until)}
        try:
            answer: Any = self._ask(lambda sf: sf.restful(f"sobjects/{obj}/deleted/", params=span))
        except WireFault as fault:
            if fault.code != "EXCEEDED_ID_LIMIT" or until - since < 2 * SHORTEST_SPAN:
                raise as_error(fault, f"reading deleted {obj}") from fault
            middle = since + (until - since) / 2
            first, second = self.deleted(obj, since, middle), self.deleted(obj, middle, until)
            return Deleted(first.ids + second.ids, second.covered_until)
        covered = _moment(answer["latestDateCovered"])
        return Deleted(tuple(row["id"] for row in answer["deletedRecords"]), covered)

    def fields(self, obj: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The object's fields by API name, as described within the last hour; None where the org has no such object."""
        known = self._described.get(obj)
        if known is None or self._monotonic() - known[0] > DESCRIBE_SECONDS:
            known = (self._monotonic(), self._describe(obj))
            self._described[obj] = known
        return known[1]

    def _describe(self, obj: str) -> Mapping[str, Mapping[str, Any]] | None:
        try:
            answer: Any = self._ask(lambda sf: sf.restful(f"sobjects/{obj}/describe"))
        except WireFault as fault:
            if fault.status == 404 or fault.code == "INVALID_TYPE":
                return None
            raise as_error(fault, f"describing {obj}") from fault
        return {each["name"]: each for each in answer["fields"]}

    def now(self) -> datetime:
        """The time by the org's clock, as its last answer told; signing in is its first, and no API call."""
        self._tokens.current()
        return self._meter.now()

    def budget(self) -> Budget | None:
        """API calls used and allowed in the org, as its last answer told; None before the first."""
        return self._meter.budget()

    def calls(self) -> Calls:
        """API calls made by this process so far."""
        return self._meter.calls()

    def check(self) -> list[CrmCheck]:
        """Login, version, package, permissions and budget, each with its cure."""
        return check_org(self, self._settings, self._writes, self._reads)

    def version(self) -> None:
        """Asks for the configured API version; raises Misconfigured where the org does not serve it."""
        version = self._settings.api_version
        try:
            self._ask(lambda sf: sf.restful(""))
        except WireFault as fault:
            if fault.status in (404, 410):
                raise Misconfigured(
                    f"The org does not serve API version {version}; set CONNECTOR_CRM_API_VERSION to one that "
                    f"{self._settings.url}/services/data lists."
                ) from fault
            raise as_error(fault, "asking for its API version") from fault

    def install(self, package: bytes, *, check_only: bool = False) -> list[str]:
        """Deploys the package by the metadata REST endpoint and waits for its end; the component messages.

        Raises CrmRejected with the org's words when it fails.
        """
        self._described.clear()
        return deploy(
            lambda path, **options: self._read("deploying", lambda sf: sf.restful(path, **options), GIVE_DEPLOYING),
            package,
            check_only=check_only,
            sleep=self._sleep,
            monotonic=self._monotonic,
        )

    def _read(self, doing: str, use: Callable[[Salesforce], T], cure: str = GIVE_ACCESS) -> Any:
        try:
            return self._ask(use)
        except WireFault as fault:
            raise as_error(fault, doing, cure) from fault

    def _ask(self, use: Callable[[Salesforce], T]) -> T:
        """What ``use`` gets from the org; an expired token is renewed once, a refused fresh one is a failed login."""
        token = self._tokens.current()
        try:
            return self._use(token, use)
        except WireFault as fault:
            if not fault.session_expired:
                raise
        token = self._tokens.renew(token)
        try:
            return self._use(token, use)
        except WireFault as fault:
            if fault.session_expired:
                raise self._tokens.refuse(token) from fault
            raise

    def _use(self, token: Token, use: Callable[[Salesforce], T]) -> T:
        try:
            answer = use(self._for(token))
        except (requests.RequestException, ValueError) as error:
            raise CrmUnavailable("The CRM's answer is cut off or is not JSON.") from error
        self._tokens.accepted()
        return answer

    def _for(self, token: Token) -> Salesforce:
        with self._lock:
            if self._client is None or self._client[0] != token.generation:
                client = Salesforce(
                    session_id=token.value,
                    instance_url=token.instance_url,
                    session=self._session,
                    version=self._settings.api_version,
                    object_pairs_hook=dict,
                )
                self._client = (token.generation, client)
            return self._client[1]


def _under_its_id(result: RowResult) -> RowResult:
    """A key that another record has shows that the id was not this record's: it must be looked up."""
    return replace(result, outcome=Outcome.REMAP) if result.code == "DUPLICATE_VALUE" else result


def _whole(obj: str, page: Any, seen: int) -> Any:
    """The page, once it holds as many records as the org says; a record that is passed over would never be read."""
    told = str(page["totalSize"]) if page["done"] else page["nextRecordsUrl"].rpartition("-")[2]
    if told.isdigit() and seen + len(page["records"]) < int(told):
        raise CrmUnavailable(f"The CRM's answer lacks records of {obj}; the reading begins again where it was.")
    return page


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _moment(text: str) -> datetime:
    return datetime.strptime(text.replace("Z", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z")

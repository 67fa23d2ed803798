"""A server that answers as Salesforce's documentation and recordings say, and misbehaves when told to.

It keeps records in a dictionary and knows nothing of queries but their object and watermark: enough to hold the gateway
against answers that are not our own sandbox's.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Reply = Callable[[Request], Response | None]
LONGEST = 255
STAMP = "2026-01-31T09:{:02d}:{:02d}.000+0000"


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer with the limit header in its per-app form."""
    told = {"Sforce-Limit-Info": "api-usage=18/5000; per-app-api-usage=17/250(appName=connector)"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(orjson.dumps(body), status, told | named, content_type="application/json;charset=UTF-8")


def refusal(status: int, code: str, message: str = "as recorded", **headers: str) -> Response:
    """An error as Salesforce writes it at the top level."""
    return answer([{"message": message, "errorCode": code, "fields": []}], status, **headers)


@dataclass(slots=True)
class WireStub:
    """The recorded org: what it holds, what it was sent, and answers put in front of the usual ones."""

    url: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    script: deque[Reply] = field(default_factory=deque)
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    tokens: list[str] = field(default_factory=list)
    token_answers: deque[Response] = field(default_factory=deque)
    clock_behind: float = 0.0
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000_000)))

    def next(self, *replies: Reply | Response) -> None:
        """Gives these answers to the next API calls, in this order, instead of the usual ones."""
        for reply in replies:
            self.script.append(_always(reply) if isinstance(reply, Response) else reply)

    def calls(self) -> list[tuple[str, str]]:
        """Method and path of every API call so far, logins aside."""
        return [(method, path) for method, path, _, _ in self.seen if "oauth2" not in path]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.seen.append((request.method, request.path, dict(request.headers), request.get_data()))
        return self._reply(request)(environ, start_response)

    def _reply(self, request: Request) -> Response:
        if request.path == "/services/oauth2/token":
            return self._token()
        if self.script:
            scripted = self.script.popleft()(request)
            if scripted is not None:
                return scripted
        if request.headers.get("Authorization") != f"Bearer {self.tokens[-1] if self.tokens else ''}":
            return refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        path = re.sub(r"^/services/data/v[0-9.]+", "", request.path)
        for pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found:
                return handler(self, request, *found.groups())
        return refusal(404, "NOT_FOUND", "The requested resource does not exist")

    def _token(self) -> Response:
        if self.token_answers:
            return self.token_answers.popleft()
        self.tokens.append(f"00D!token-{len(self.tokens)}")
        return answer({"access_token": self.tokens[-1], "instance_url": self.url, "token_type": "Bearer"})

    def upsert(self, request: Request, obj: str, key: str) -> Response:
        rows = orjson.loads(request.get_data())["records"]
        if len(rows) > 200:
            return refusal(400, "EXCEEDED_ID_LIMIT")
        return answer([self._row(obj, key, row) for row in rows])

    def update(self, request: Request) -> Response:
        return answer([self._changed(row) for row in orjson.loads(request.get_data())["records"]])

    def _changed(self, row: dict[str, Any]) -> dict[str, Any]:
        known = self.records[row["attributes"]["type"]]
        found = next((each for each in known.values() if each["Id"] == row["id"]), None)
        if found is None or found["IsDeleted"]:
            error = {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []}
            return {"success": False, "errors": [error]}
        found |= {name: value for name, value in row.items() if name not in ("attributes", "id")}
        return {"id": row["id"], "success": True, "errors": []}

    def _row(self, obj: str, key: str, row: dict[str, Any]) -> dict[str, Any]:
        long = [name for name, value in row.items() if isinstance(value, str) and len(value) > LONGEST]
        if long:
            error = {"statusCode": "STRING_TOO_LONG", "message": f"{long[0]}: data value too large", "fields": long}
            return {"success": False, "errors": [error]}
        known = self.records[obj]
        number = next(self.numbers)
        if row[key] in known and known[row[key]]["IsDeleted"]:
            known[f"before {number}"] = known.pop(row[key])
        is_new = row[key] not in known
        stamp = STAMP.format(number // 60 % 60, number % 60)
        record = known.setdefault(row[key], {"Id": f"a00{number:012d}AAA", "IsDeleted": False})
        record |= {name: value for name, value in row.items() if name != "attributes"} | {"SystemModstamp": stamp}
        return {"id": record["Id"], "success": True, "errors": [], "created": is_new}

    def query(self, request: Request) -> Response:
        soql = request.args["q"]
        obj = re.search(r"FROM (\w+)", soql)
        since = re.search(r"SystemModstamp >= (\S+)Z", soql)
        keys = re.search(r" IN \((.*)\)", soql)
        assert obj is not None
        rows = sorted(self.records[obj[1]].items(), key=lambda item: item[1]["SystemModstamp"])
        wanted = [
            row
            for _, row in rows
            if (since is None or row["SystemModstamp"] >= since[1])
            and (keys is None or any(f"'{value}'" in keys[1] for value in row.values()))
            and ("/queryAll" in request.path or not row["IsDeleted"])
        ]
        return answer({"totalSize": len(wanted), "done": True, "records": wanted})

    def describe(self, _request: Request, obj: str) -> Response:
        if obj not in ("Social_Profile__c", "Case", "Channel_Interaction__c", "Contact"):
            return refusal(404, "NOT_FOUND", "The requested resource does not exist")
        key = {"Social_Profile__c": "Profile_Key__c", "Case": "Connector_Key__c"}.get(obj, "Interaction_Key__c")
        fields = [{"name": key, "externalId": True, "unique": True, "updateable": True}, {"name": "Handle__c"}]
        return answer({"name": obj, "fields": fields})

    def deleted(self, request: Request, obj: str) -> Response:
        gone = [row for row in self.records[obj].values() if row["IsDeleted"]]
        rows = [{"id": row["Id"], "deletedDate": row["SystemModstamp"]} for row in gone]
        covered = request.args["end"].replace("+00:00", ".000+0000")
        return answer({"deletedRecords": rows, "earliestDateAvailable": covered, "latestDateCovered": covered})

    def deploy(self, _request: Request) -> Response:
        return answer({"id": "0Afxx0000000001AAA", "deployOptions": {}}, 201)

    def deployed(self, _request: Request, job: str) -> Response:
        made = [{"componentType": "CustomObject", "fullName": "Social_Profile__c", "created": True}]
        result = {
            "id": job,
            "done": True,
            "success": True,
            "status": "Succeeded",
            "details": {"componentSuccesses": made},
        }
        return answer({"id": job, "deployResult": result})

    def resources(self, _request: Request) -> Response:
        return answer({"sobjects": "/services/data/v66.0/sobjects"})


def _always(response: Response) -> Reply:
    return lambda _request: response


_ROUTES: list[tuple[str, Callable[..., Response]]] = [
    (r"/composite/sobjects/(\w+)/(\w+)", WireStub.upsert),
    (r"/composite/sobjects", WireStub.update),
    (r"/query(?:All)?/", WireStub.query),
    (r"/sobjects/(\w+)/describe", WireStub.describe),
    (r"/sobjects/(\w+)/deleted/", WireStub.deleted),
    (r"/metadata/deployRequest", WireStub.deploy),
    (r"/metadata/deployRequest/(\w+)", WireStub.deployed),
    (r"/", WireStub.resources),
]


class _Silent(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the org's own clock."""
        stub = self.server.app
        behind = stub.clock_behind if isinstance(stub, WireStub) else 0.0
        return super().date_time_string((timestamp or time.time()) - behind)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Says nothing."""


@contextmanager
def wire_stub() -> Iterator[WireStub]:
    """The recorded org on a port of its own."""
    stub = WireStub()
    server = make_server("127.0.0.1", 0, stub, threaded=True, request_handler=_Silent)
    stub.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

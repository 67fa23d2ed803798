"""Records a second written to an org in another process, and the API calls they take.

    python -m bench.writeback [--rounds 3] [--records 10000]

Each round empties the org and starts a store with one fifth profiles, one fifth cases and three fifths interactions,
all unsent. Measured beside it, in the same round: the bare gateway sending as many records of an interaction's size,
which is what the org and the wire allow, and ceil(n / 200) calls an object.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import requests
import structlog
from sqlalchemy import insert

from connector.crm.package import compose_zip
from connector.crm.salesforce import SalesforceGateway
from connector.domain.keys import derive_id
from connector.flows.context import Context
from connector.flows.writeback import drain_once
from connector.mapping.channels import load_channels
from connector.mapping.crm import load_crm_mapping
from connector.mapping.purposes import load_consent
from connector.settings import CrmSettings, default_mappings_dir
from connector.store.migrate import migrate
from connector.store.outbox import queue_many
from connector.store.tables import cases, interactions, social_profiles
from connector.store.unit_of_work import Store, open_store

NAMESPACE = UUID("5d0f7b1e-8a52-4d0b-9d53-1c1f0a6f4b10")
NOW = 1_769_850_000_000
CLIENT = ("sandbox-client", "sandbox-secret")
LIMIT = 10_000_000


@dataclass(frozen=True)
class Round:
    """One round: records a second of the product and of the bare gateway, and the calls of the product."""

    rate: float
    ceiling: float
    calls: int


@contextmanager
def org() -> Iterator[str]:
    """The address of a sandbox in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "bench.writeback", "--serve", str(port)]) as process:
        try:
            _wait(url)
            yield url
        finally:
            process.terminate()


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            requests.get(f"{url}/sandbox/health", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the org did not start")


def serve(port: int) -> None:
    """Runs an org that allows more calls than any round makes."""
    from sandbox.org import Config
    from sandbox.server import SandboxServer

    SandboxServer(port, config=Config(daily_limit=LIMIT)).run()


def fill(store: Store, records: int) -> dict[str, int]:
    """Puts unsent rows into a fresh store; how many of each object."""
    accounts = records // 5
    spoken = records - 2 * accounts
    profiles = [derive_id(NAMESPACE, "profile", str(number)) for number in range(accounts)]
    matters = [derive_id(NAMESPACE, "case", str(number)) for number in range(accounts)]
    said = [derive_id(NAMESPACE, "interaction", str(number)) for number in range(spoken)]
    shared = {"origin": "connector", "channel": "social", "network": "x"}
    with store.begin() as uow:
        uow.connection.execute(insert(social_profiles), [
            {"id": key, "network": "x", "external_id": str(at), "handle": f"customer{at}", "first_seen_at": NOW,
             "last_seen_at": NOW}
            for at, key in enumerate(profiles)
        ])  # fmt: skip
        uow.connection.execute(insert(cases), [
            {"id": key, "profile_id": profiles[at], "thread": str(at), "opened_at": NOW,
             "subject": "Where is my parcel?", "first_inbound_at": NOW, "inbound_touches": 3, **shared}
            for at, key in enumerate(matters)
        ])  # fmt: skip
        uow.connection.execute(insert(interactions), [
            {"id": key, "case_id": matters[at % accounts], "profile_id": profiles[at % accounts], "item_id": str(at),
             "kind": "mention", "direction": "inbound", "author_role": "customer", "visibility": "public",
             "occurred_at": NOW + at, "received_at": NOW,
             "text": "Where is my parcel? It was to come on Monday. " * 3, **shared}
            for at, key in enumerate(said)
        ])  # fmt: skip
        queue_many(uow, "Social_Profile__c", [(key, None) for key in profiles])
        queue_many(uow, "Case", list(zip(matters, profiles, strict=True)))
        queue_many(uow, "Channel_Interaction__c", [(key, matters[at % accounts]) for at, key in enumerate(said)])
    return {"Social_Profile__c": accounts, "Case": accounts, "Channel_Interaction__c": spoken}


def measure(url: str, records: int) -> Round:
    """One round against the org at this address."""
    requests.post(f"{url}/sandbox/reset", timeout=30).raise_for_status()
    mappings = default_mappings_dir()
    mapping = load_crm_mapping(mappings / "crm" / "salesforce.yml")
    gateway = SalesforceGateway(CrmSettings(url, f"{url}/services/oauth2/token", url, *CLIENT))
    gateway.install(compose_zip())
    ceiling = bare(gateway, records)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'connector.db'}")
        migrate(store)
        fill(store, records)
        ctx = Context(
            store=store, clock=lambda: datetime.now(UTC), namespace=NAMESPACE, sources={},
            channels=load_channels(mappings / "channels.yml"), consent=load_consent(mappings, "Bench"),
            secret_key="b" * 40, public_url="http://127.0.0.1", crm=gateway, crm_share=1.0, crm_mapping=mapping,
        )  # fmt: skip
        before = gateway.calls().writes
        started = time.perf_counter()
        sent = 0
        while not (report := drain_once(ctx, flush=True)).is_idle:
            sent += report.sent
        seconds = time.perf_counter() - started
        store.close()
    if sent != records:
        raise SystemExit(f"only {sent} of {records} records were taken; the last report is {report}")
    calls = gateway.calls().writes - before
    gateway.close()
    return Round(records / seconds, ceiling, calls)


def bare(gateway: SalesforceGateway, records: int) -> float:
    """Records a second that the gateway and the org manage without store, gate and projection."""
    rows = [
        {"Interaction_Key__c": f"bare-{at}", "Channel__c": "social", "Network__c": "x", "Direction__c": "inbound",
         "Occurred_At__c": "2026-01-31T09:00:00.000Z", "Summary__c": "Where is my parcel? " * 10, "State__c": "Live"}
        for at in range(records)
    ]  # fmt: skip
    started = time.perf_counter()
    gateway.upsert("Channel_Interaction__c", "Interaction_Key__c", rows)
    return records / (time.perf_counter() - started)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    with org() as url:
        rounds = [measure(url, options.records) for _ in range(options.rounds)]
    accounts = options.records // 5
    least = 2 * math.ceil(accounts / 200) + math.ceil((options.records - 2 * accounts) / 200)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.rounds} rounds "
          f"of {options.records:,} records")  # fmt: skip
    print("                      min   median      max")
    for name, values in (
        ("records/s", [each.rate for each in rounds]),
        ("bare gateway", [each.ceiling for each in rounds]),
    ):
        print(f"  {name:<14} {min(values):>8,.0f} {statistics.median(values):>8,.0f} {max(values):>8,.0f}")
    most = max(each.calls for each in rounds)
    print(f"  API calls      {most} for {options.records:,} records; ceil(n/200) is {least}; "
          f"{most * 10_000 / options.records:.0f} per 10,000")  # fmt: skip


if __name__ == "__main__":
    main()

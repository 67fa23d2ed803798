"""For machines that watch: alive, ready, and metrics; read from the database, so every process tells the same."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from flask import Blueprint, Response, jsonify
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from connector.domain.events import format_time, from_millis
from connector.errors import Retryable
from connector.web.auth import context
from connector.web.vitals import Vitals, crm_login, vitals

blueprint = Blueprint("health", __name__)
log = structlog.get_logger()


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether this process answers; says nothing about anything behind it."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether the service does its work: 200, or 503 with each problem and its cure."""
    ctx = context()
    try:
        with ctx.store.read() as connection:
            found = vitals(ctx, connection)
    except Retryable as error:
        problems = [{"problem": error.message, "cure": "Look at the database and its disk."}]
        return jsonify({"status": "not ready", "problems": problems}), 503
    body = {
        "status": "ready" if found.is_ready else "not ready",
        "problems": [{"problem": problem, "cure": cure} for problem, cure in found.problems],
        "warnings": [{"problem": problem, "cure": cure} for problem, cure in found.warnings],
        "oldest_unprocessed_delivery_seconds": round(found.delivery_age, 3),
        "waiting_deliveries": found.health.waiting_deliveries,
        "outbox_age_seconds": round(found.outbox_age, 3),
        "waiting_outbox": found.health.waiting_outbox,
        "open_shelf_items": found.health.open_shelf,
        "dead_deliveries": found.health.dead_deliveries,
        "dead_outbox": found.health.dead_outbox,
        "contacts_never_taken_back": found.never_taken_back,
        "failing": [
            {
                "work": each.work,
                "since": format_time(from_millis(each.since)),
                "times": each.times,
                "error": each.code,
            }
            for each in found.failing
        ],
        "crm": "none" if ctx.crm is None else crm_login(found.health),
        "last_event": {
            source: format_time(from_millis(at)) if at is not None else None for source, at in found.last_event.items()
        },
    }
    return jsonify(body), 200 if found.is_ready else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics without anything personal: the store's figures, then this process's own counters.

    While the store is away it is not ready, and says so: an alarm on ``connector_ready`` must not need the store.
    """
    ctx = context()
    found = None
    try:
        with ctx.store.read() as connection:
            found = vitals(ctx, connection)
    except Retryable as error:
        log.warning("store_away", code=error.code)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(found))
    return Response(generate_latest(registry) + generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    def __init__(self, found: Vitals | None) -> None:
        self.found = found

    def collect(self) -> Iterable[Metric]:
        """The store's figures as gauges; without a store only that it is not ready."""
        is_ready = self.found is not None and self.found.is_ready
        yield GaugeMetricFamily("connector_ready", "1 when /readyz says ready", value=float(is_ready))
        if self.found is not None:
            yield from self._figures(self.found)

    def _figures(self, found: Vitals) -> Iterable[Metric]:
        health = found.health
        for name, words, value in (
            ("connector_inbox_waiting", "Deliveries not worked on yet, counted to 10,000", health.waiting_deliveries),
            ("connector_inbox_age_seconds", "Age of the oldest of them", found.delivery_age),
            ("connector_inbox_dead", "Deliveries nobody could read", health.dead_deliveries),
            ("connector_shelf_open", "Items that wait for a person", health.open_shelf),
            ("connector_outbox_waiting", "Records not sent yet, counted to 10,000", health.waiting_outbox),
            ("connector_outbox_age_seconds", "Age of the oldest of them", found.outbox_age),
            ("connector_outbox_dead", "Records the CRM will not take", health.dead_outbox),
            (
                "connector_contacts_never_taken_back",
                "Those of them that name a contact whose consent has ended, counted to 500",
                found.never_taken_back,
            ),
        ):
            yield GaugeMetricFamily(name, words, value=value)
        failing = GaugeMetricFamily(
            "connector_work_failing_since_seconds", "Unix time since which work fails each time", labels=["work"]
        )
        for each in found.failing:
            failing.add_metric([each.work], each.since / 1000)
        yield failing
        last = GaugeMetricFamily(
            "connector_source_last_event_seconds", "Unix time of each source's last", labels=["source"]
        )
        for source, at in found.last_event.items():
            if at is not None:
                last.add_metric([source], at / 1000)
        yield last

"""Senders that never give up: threads that send deliveries until each was answered, whatever happens to the service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from queue import Empty, Queue
from random import Random
from threading import Thread

from standardwebhooks import Webhook

from tests.chaos.story import Delivery

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FORGED = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
SECONDS = 10


class Senders:
    """Sends to any of these ports, as behind a balancer; ``answers`` are the statuses by the delivery's number."""

    def __init__(self, ports: Sequence[int], deliveries: Sequence[Delivery], threads: int = 12) -> None:
        self.answers: dict[int, int] = {}
        self._ports = ports
        self._queue: Queue[tuple[int, Delivery]] = Queue()
        for number, each in enumerate(deliveries):
            self._queue.put((number, each))
        self._threads = [Thread(target=self._send, args=(Random(number),), daemon=True) for number in range(threads)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """Whether everything was answered."""
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self, random: Random) -> None:
        lines = {port: HTTPConnection("127.0.0.1", port, timeout=SECONDS) for port in self._ports}
        with suppress(Empty):
            while True:
                number, delivery = self._queue.get_nowait()
                self.answers[number] = _until_answered(lines, random, delivery)
        for line in lines.values():
            line.close()


def _until_answered(lines: dict[int, HTTPConnection], random: Random, delivery: Delivery) -> int:
    while True:
        line = lines[random.choice(list(lines))]
        try:
            line.request("POST", f"/webhooks/{delivery.source}", delivery.body, signed(delivery))
            answer = line.getresponse()
            answer.read()
        except (OSError, HTTPException):
            line.close()
            time.sleep(0.03)
            continue
        if answer.status < 500:
            return answer.status
        time.sleep(0.05)


def signed(delivery: Delivery) -> dict[str, str]:
    """The headers of Standard Webhooks, made by its own library."""
    now = datetime.now(tz=UTC)
    name = f"msg_{abs(hash(delivery.body))}"
    signature = Webhook(FORGED if delivery.is_forged else SECRET).sign(name, now, delivery.body.decode())
    return {
        "webhook-id": name, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature,
        "content-type": "application/json",
    }  # fmt: skip

"""The inbox: deliveries exactly as they came, stored before they are answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An authentic request to be stored: ``key`` is its delivery key, ``headers`` the allowed ones as JSON."""

    source: str
    key: str
    received_at: int
    body: bytes
    content_type: str = ""
    headers: str = "{}"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A claimed delivery; ``claim`` fences everything done with it."""

    id: int
    source: str
    received_at: int
    body: bytes
    content_type: str
    headers: str
    attempts: int
    claim: str

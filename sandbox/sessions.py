"""Access tokens: who holds one, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, slots=True)
class Session:
    """One logged-in client."""

    token: str
    user_id: str
    client_id: str
    expires_at: int


class Sessions:
    """All live access tokens; they live in memory, so a restart of the org ends them."""

    def __init__(self, seconds: int, clock: Callable[[], int]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._by_token: dict[str, Session] = {}
        self._lock = Lock()

    def start(self, token: str, user_id: str, client_id: str) -> Session:
        """A new session for this token."""
        session = Session(token, user_id, client_id, self._clock() + self.seconds * 1000)
        with self._lock:
            self._by_token[token] = session
        return session

    def find(self, token: str) -> Session | None:
        """The session of a token; None where it was never given, was revoked, or has expired."""
        session = self._by_token.get(token)
        return session if session and session.expires_at > self._clock() else None

    def end(self, token: str) -> bool:
        """Ends a session and tells whether there was one."""
        with self._lock:
            return self._by_token.pop(token, None) is not None

    def clear(self) -> None:
        """Ends all sessions."""
        with self._lock:
            self._by_token.clear()

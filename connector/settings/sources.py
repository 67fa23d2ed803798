"""The [sources.NAME] sections: one per sender."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.settings.model import SourceSettings
from connector.settings.values import PLAIN, Values

SOURCE_KEYS = frozenset(
    {"mapping", "verification", "secrets", "account_ids", "verify_token", "topics", "scope", "max_bytes"}
)  # fmt: skip
SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RESERVED_NAMES = frozenset({"api"})
"""Cases posted to the API are deliveries of this source."""
LARGEST_BODY = 64 * 1024 * 1024


def read_sources(values: Values) -> dict[str, SourceSettings]:
    """The configured senders by name; what is wrong with them is noted in ``values``."""
    table = values.toml.get("sources", {})
    if not isinstance(table, dict):
        values.problem(f"{values.path}: sources", "is not a table.", "Write [sources.NAME] sections.")
        return {}
    found = {name: _Section(values, name, raw).read() for name, raw in table.items()}
    return {name: source for name, source in found.items() if source is not None}


class _Section:
    def __init__(self, values: Values, name: str, raw: Any) -> None:
        self.values = values
        self.name = name
        self.where = f"{values.path}: sources.{name}"
        self.is_table = isinstance(raw, dict)
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}

    def read(self) -> SourceSettings | None:
        if not SOURCE_NAME.fullmatch(self.name) or self.name in RESERVED_NAMES:
            self.values.problem(
                self.where,
                "cannot be a source's name: it is the last part of the webhook address.",
                f"Use letters, digits, _ and -; not {' or '.join(sorted(RESERVED_NAMES))}.",
            )
        if not self.is_table:
            self.values.problem(self.where, "is not a table.", f"Write a [sources.{self.name}] section.")
            return None
        for key in sorted(set(self.raw) - SOURCE_KEYS):
            misplaced = "Move it above the first [sources.…] section." if key in PLAIN else ""
            self.wrong(key, "is not a setting of a source.", misplaced or f"Use: {', '.join(sorted(SOURCE_KEYS))}.")
        mapping = self.text("mapping", 'Write mapping = "messenger" (or another file of mappings/sources).')
        if not mapping and "mapping" not in self.raw:
            self.values.problem(
                self.where, "names no mapping.", 'Add mapping = "messenger" (or another file of mappings/sources).'
            )
        token = self.text("verify_token", "Write the token you chose as text.")
        return SourceSettings(
            name=self.name,
            mapping=mapping,
            verification=self.text("verification", "Write the name of one proof, as in docs/adding-a-source.md."),
            secrets=tuple(self.secrets()),
            account_ids=tuple(self.texts("account_ids")),
            verify_token=self.values.secret(token, f"{self.where}.verify_token"),
            topics=tuple(self.texts("topics")),
            scope=self.text("scope", "Write a short name, such as that of the bot or the server."),
            max_bytes=self.max_bytes(),
        )

    def wrong(self, key: str, what: str, cure: str) -> None:
        self.values.problem(f"{self.where}.{key}", what, cure)

    def text(self, key: str, cure: str) -> str:
        value = self.raw.get(key, "")
        if isinstance(value, str):
            return value.strip()
        self.wrong(key, "is not a text.", cure)
        return ""

    def texts(self, key: str) -> list[str]:
        value = self.raw.get(key, [])
        if not isinstance(value, list) or not all(type(each) in (str, int) for each in value):
            self.wrong(key, "is not a list of texts.", f'Write {key} = ["…"].')
            return []
        return [str(each).strip() for each in value]

    def secrets(self) -> list[str]:
        given = self.texts("secrets")
        if self.raw.get("secrets", []) == []:
            self.wrong("secrets", "is empty: unsigned deliveries are never taken.", "Add the provider's secret.")
        if not all(given):
            self.wrong("secrets", "has an empty entry.", "Remove it, or write the secret there.")
        if len(given) > 2:
            self.wrong(
                "secrets", "has more than two entries.", "Keep the current one and, while rotating, the previous."
            )
        return [self.values.secret(each, f"{self.where}.secrets") for each in given if each]

    def max_bytes(self) -> int | None:
        limit = self.raw.get("max_bytes")
        if limit is None:
            return None
        if type(limit) is int and 1 <= limit <= LARGEST_BODY:
            return limit
        self.wrong("max_bytes", f"is {limit!r}.", f"Give a whole number of bytes, {LARGEST_BODY} at most.")
        return None

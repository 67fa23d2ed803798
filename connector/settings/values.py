"""Single values, wherever they stand: the environment wins over connector.toml, and every fault is noted."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from connector.errors import Problem

PLAIN: Mapping[str, str] = {
    "database_url": "", "data_dir": ".connector", "public_url": "http://127.0.0.1:8080", "secret_key": "",
    "timezone": "UTC", "mappings_dir": "", "crm_url": "", "crm_token_url": "", "crm_audience": "", "crm_client_id": "",
    "crm_client_secret": "", "crm_private_key": "", "crm_username": "", "crm_api_version": "66.0", "crm_share": "0.2",
    "clock_file": "", "admin_password": "", "inbox_cap": "100000", "company": "", "trusted_proxies": "0",
    "suggestions_known_share": "",
}  # fmt: skip
SECRET = frozenset({"secret_key", "crm_client_secret", "crm_private_key", "admin_password"})
PREFIX = "CONNECTOR_"
ALIKE = 0.86
"""From here on an unknown variable is taken for a misspelt setting; Kubernetes sets others with this prefix."""


class Values:
    """The settings as given, each with the place where it stands; ``problems`` collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str], path: Path, overrides: Mapping[str, Any]) -> None:
        self.env = env
        self.path = path
        self.overrides = overrides
        self.problems: list[Problem] = []
        self.toml = self._toml()
        self._name_unknown()

    def problem(self, where: str, what: str, cure: str) -> None:
        """Notes a fault."""
        self.problems.append(Problem(where, what, cure))

    def get(self, name: str) -> str:
        """The setting as text, its default where it is not given."""
        return self._given(name)[0]

    def where(self, name: str) -> str:
        """Where the setting stands, or would stand."""
        return self._given(name)[1]

    def wrong(self, name: str, what: str, cure: str) -> None:
        """Notes a fault of this setting."""
        self.problem(self.where(name), what, cure)

    def secret(self, raw: str, where: str) -> str:
        """The secret itself, read from the variable or file that ``raw`` refers to."""
        if raw.startswith("env:"):
            found = self.env.get(raw[4:], "")
            if not found:
                self.problem(where, f"refers to the variable {raw[4:]}, which is not set.", "Set it.")
            return found
        if not raw.startswith("file:"):
            return raw
        reason, cure = "it is empty", "Write the secret into it, or correct the path."
        try:
            found = Path(raw[5:]).expanduser().read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            found, reason = "", (error.strerror or "no access") if isinstance(error, OSError) else "not text"
            cure = access_cure(error)
        if not found:
            self.problem(where, f"refers to the file {raw[5:]}, which cannot be read ({reason}).", cure)
        return found

    def number(self, name: str, kind: Callable[[str], Any], cure: str) -> Any:
        """The setting as ``kind`` reads it; its default, and a fault noted, where it cannot."""
        try:
            return kind(self.get(name))
        except (ValueError, OverflowError):
            self.wrong(name, f"is {self.get(name)!r}.", cure)
            return kind(PLAIN[name])

    def _given(self, name: str) -> tuple[str, str]:
        variable = f"{PREFIX}{name.upper()}"
        if name in self.overrides:
            return str(self.overrides[name]), name
        if self.env.get(variable):
            given, where = self.env[variable], variable
        elif name in self.toml:
            given, where = str(self.toml[name]), f"{self.path}: {name}"
        else:
            return PLAIN[name], variable
        return (given if name in SECRET else given.strip()), where

    def _toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            if f"{PREFIX}CONFIG" in self.env:
                self.problem(f"{PREFIX}CONFIG", f"names {self.path}, which does not exist.", "Correct the path.")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.problem(str(self.path), f"is not TOML: {error}.", "Correct the line.")
        except OSError as error:
            self.problem(str(self.path), f"cannot be read: {error.strerror}.", access_cure(error))
        return {}

    def _name_unknown(self) -> None:
        for name in sorted(set(self.toml) - set(PLAIN) - {"sources"}):
            self.problem(f"{self.path}: {name}", "is not a setting.", _instead(name))
        for name in sorted(set(self.toml) & set(PLAIN)):
            if isinstance(self.toml[name], bool | list | dict):
                self.problem(f"{self.path}: {name}", "is not a text or a number.", f'Write {name} = "…".')
        known = [f"{PREFIX}{name.upper()}" for name in (*PLAIN, "config")]
        for name in sorted(self.env):
            if name.startswith(PREFIX) and name not in known:
                for meant in get_close_matches(name, known, 1, ALIKE):
                    self.problem(name, "is not a setting.", f"Did you mean {meant}?")


def access_cure(error: Exception) -> str:
    """What helps against a file that cannot be read."""
    return "Give this user access." if isinstance(error, PermissionError) else "Correct the path."


def _instead(name: str) -> str:
    close = get_close_matches(name.lower(), PLAIN, 1)
    return f"Did you mean {close[0]}?" if close else f"Use one of: {', '.join(sorted(PLAIN))}."

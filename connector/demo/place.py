"""The demo's folder: secrets, the admin's password and the story's start, written once and used again ever after.

It ends up as an ordinary ``connector.toml``, so every command works on the demo too:
``CONNECTOR_CONFIG=.connector/connector.toml connector check``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.demo import bodies
from connector.errors import Misconfigured

SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "x": ("x", (bodies.X_BRAND,)),
    "facebook": ("messenger", (bodies.PAGE,)),
    "facebook_page": ("facebook_page", (bodies.PAGE,)),
    "instagram": ("instagram", (bodies.INSTAGRAM,)),
    "whatsapp": ("whatsapp", (bodies.PHONE_NUMBER_ID,)),
    "telegram": ("telegram", ("7100200",)),
    "discourse": ("discourse", ()),
    "trustpilot": ("trustpilot", ()),
    "twilio": ("twilio_voice", (bodies.BRAND_PHONE,)),
    "postmark": ("postmark", ("care@northwind.example",)),
}
"""Each source's mapping and the brand's own account ids there."""

PASSWORD_SENDERS = frozenset({"postmark"})
"""These sign nothing: a user and password in the webhook's address are their proof."""

CHALLENGED = frozenset({"messenger", "facebook_page", "instagram", "whatsapp"})
"""Meta asks for a token of ours before it sends anything."""

STORY_DAYS_AGO = 2
CLIENT_ID = "connector-demo"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo keeps what it makes."""

    folder: Path

    @property
    def config(self) -> Path:
        """The settings file that the commands read too."""
        return self.folder / "connector.toml"

    def keep(self, name: str, make: str) -> str:
        """The text kept under this name; made once, readable by this user only."""
        path = self.folder / "secrets" / name
        try:
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.write_text(make, encoding="utf-8")
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(
                f"{path} cannot be read or written: {error.strerror}; choose another --data folder."
            ) from error

    def secret(self, name: str) -> str:
        """A random secret of this demo."""
        return self.keep(name, secrets.token_hex(24))

    def start(self) -> datetime:
        """When the story begins: a whole hour two days before the first telling."""
        first = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=STORY_DAYS_AGO)
        return datetime.fromisoformat(self.keep("story_start", first.isoformat()))

    def write_config(self, *, crm_url: str, public_url: str) -> Path:
        """Writes connector.toml for this telling's addresses and gives its path."""
        for name in ("secret_key", "admin_password", "crm_client_secret"):
            self.secret(name)
        lines = [
            "# Written by `connector demo`. Use it with any command: CONNECTOR_CONFIG=<this file> connector check",
            f'data_dir = "{self.folder.resolve().as_posix()}"',
            f'public_url = "{public_url}"',
            'company = "Northwind Outfitters"',
            f'secret_key = "{self._reference("secret_key")}"',
            f'admin_password = "{self._reference("admin_password")}"',
            f'crm_url = "{crm_url}"',
            f'crm_client_id = "{CLIENT_ID}"',
            f'crm_client_secret = "{self._reference("crm_client_secret")}"',
        ]
        for name, (mapping, accounts) in SOURCES.items():
            self.keep(f"source_{name}", _source_secret(mapping))
            listed = ", ".join(f'"{account}"' for account in accounts)
            lines += [
                "",
                f"[sources.{name}]",
                f'mapping = "{mapping}"',
                f'secrets = ["{self._reference(f"source_{name}")}"]',
                f"account_ids = [{listed}]",
            ]
            if mapping in CHALLENGED:
                self.secret("verify_token")
                lines.append(f'verify_token = "{self._reference("verify_token")}"')
        try:
            self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            raise Misconfigured(
                f"{self.config} cannot be written: {error.strerror}; choose another --data folder."
            ) from error
        return self.config

    def _reference(self, name: str) -> str:
        return f"file:{(self.folder / 'secrets' / name).resolve().as_posix()}"


def _source_secret(mapping: str) -> str:
    secret = secrets.token_hex(24)
    return f"northwind:{secret}" if mapping in PASSWORD_SENDERS else secret


def open_place(folder: Path) -> Place:
    """The demo's folder, made if need be; Misconfigured when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be made: {error.strerror}; choose another --data folder.") from error
    return Place(folder)

"""Reads every setting and notes everything that is wrong, so that one look tells it all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.settings.addresses import LOOPBACK, allowed_crm_host, has_port, is_bare, parts_of
from connector.settings.model import CrmSettings, Settings
from connector.settings.sources import read_sources
from connector.settings.values import SECRET, Values, access_cure

API_FLOOR = 57.0
SHORTEST_KEY = 32
SHORTEST_PASSWORD = 12
MOST_PROXIES = 10
LEAST_SHARE = 0.001
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
SHARED_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com", "salesforce.com", "www.salesforce.com"})
"""Where people sign in; no org answers the API there."""


def default_mappings_dir() -> Path:
    """The shipped mappings: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "mappings"
    return beside if beside.is_dir() else package / "_data" / "mappings"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the settings; ``values.problems`` holds what is wrong with them afterwards."""

    values: Values

    def read(self) -> Settings:
        """The settings, with a default in the place of each that is wrong."""
        values = self.values
        secrets = {name: values.secret(values.get(name), values.where(name)) for name in SECRET}
        data_dir = self._data_dir()
        return Settings(
            data_dir=data_dir,
            database_url=self._database_url() or f"sqlite:///{data_dir / 'connector.db'}",
            public_url=self._public_url(),
            secret_key=self._secret_key(secrets["secret_key"]),
            timezone=self._timezone(),
            mappings_dir=self._mappings_dir(),
            crm=self._crm(secrets),
            sources=read_sources(values),
            clock_file=self._clock_file(),
            admin_password=self._admin_password(secrets["admin_password"]),
            inbox_cap=values.number("inbox_cap", _above_zero, "Give a whole number of waiting deliveries."),
            company=values.get("company"),
            trusted_proxies=values.number(
                "trusted_proxies", _few, f"Give the number of proxies in front of this service, 0 to {MOST_PROXIES}."
            ),
            known_share=values.number(
                "suggestions_known_share", _share_or_none, "Give the share of writers who are in the CRM, such as 0.5."
            ),
        )

    def _data_dir(self) -> Path:
        folder = Path(self.values.get("data_dir")).expanduser()
        try:
            if folder.exists() and not folder.is_dir():
                self.values.wrong("data_dir", f"names {folder}, which is not a folder.", "Name a folder.")
        except OSError as error:
            self.values.wrong(
                "data_dir", f"names {folder}, which cannot be read: {error.strerror}.", access_cure(error)
            )
        return folder

    def _database_url(self) -> str:
        url = self.values.get("database_url")
        driver, _, rest = url.partition("://")
        if url.startswith("postgresql://"):
            url, driver = f"postgresql+psycopg://{rest}", "postgresql+psycopg"  # the one driver that is installed
        if url and not (driver in DRIVERS and rest not in ("", "/", "/:memory:") and has_port(url)):
            # Never quoted: it may hold a password.
            self.values.wrong(
                "database_url",
                "is no address of a database that lasts.",
                "Use sqlite:///PATH or postgresql+psycopg://USER@HOST/DB, with @ : / # of a password percent-encoded.",
            )
        return url

    def _public_url(self) -> str:
        url = self.values.get("public_url")
        parts = parts_of(url)
        whole = parts is not None and parts.scheme in ("http", "https") and "@" not in parts.netloc
        if parts is None or not whole or parts.query or parts.fragment:
            cure = "Give the address customers and providers use: https://host/path."
            self.values.wrong("public_url", f"is {url!r}.", cure)
        elif parts.path.rstrip("/").endswith("/webhooks"):
            cure = "Leave /webhooks out: the sources' addresses add it."
            self.values.wrong("public_url", f"is {url!r}.", cure)
        return url.rstrip("/")

    def _secret_key(self, key: str) -> str:
        if key and len(key) < SHORTEST_KEY:
            self.values.wrong(
                "secret_key", f"is shorter than {SHORTEST_KEY} characters.", "Make one: `openssl rand -hex 32`."
            )
        return key

    def _admin_password(self, password: str) -> str:
        if password and len(password) < SHORTEST_PASSWORD:
            self.values.wrong("admin_password", f"is shorter than {SHORTEST_PASSWORD} characters.", "Choose a longer.")
        return password

    def _timezone(self) -> str:
        name = self.values.get("timezone")
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.values.wrong("timezone", f"is {name!r}, not an IANA zone.", "Use a name such as Europe/Berlin.")
        return name

    def _mappings_dir(self) -> Path:
        given = self.values.get("mappings_dir")
        folder = Path(given).expanduser() if given else default_mappings_dir()
        cure = "Correct it, or unset it for the shipped mappings."
        try:
            if not folder.is_dir():
                self.values.wrong("mappings_dir", f"names {folder}, which is not a folder.", cure)
            elif not (folder / "channels.yml").is_file():
                self.values.wrong("mappings_dir", f"names {folder}, which holds no channels.yml.", cure)
        except OSError as error:
            what = f"names {folder}, which cannot be read: {error.strerror}."
            self.values.wrong("mappings_dir", what, access_cure(error))
        return folder

    def _clock_file(self) -> Path | None:
        given = self.values.get("clock_file")
        if not given:
            return None
        path = Path(given).expanduser()
        try:
            datetime.fromisoformat(path.read_text(encoding="ascii").strip())
        except OSError:
            self.values.wrong("clock_file", f"names {path}, which cannot be read.", "Unset it outside tests.")
        except ValueError:
            self.values.wrong("clock_file", f"names {path}, which holds no ISO time.", "Unset it outside tests.")
        return path

    def _crm(self, secrets: Mapping[str, str]) -> CrmSettings:
        values = self.values
        url = values.get("crm_url").rstrip("/")
        self._crm_addresses(url)
        secret, key = secrets["crm_client_secret"], secrets["crm_private_key"]
        if url and not values.get("crm_client_id"):
            values.wrong("crm_client_id", "is not set.", "Copy the consumer key of the External Client App.")
        if url and not values.get("crm_client_secret") and not values.get("crm_private_key"):
            values.wrong("crm_client_secret", "is not set, nor is CONNECTOR_CRM_PRIVATE_KEY.", "Set one of the two.")
        if key and not values.get("crm_username"):
            values.wrong("crm_username", "is not set.", "JWT bearer needs the integration user's name.")
        if key and "-----BEGIN" not in key:
            values.wrong("crm_private_key", "is not a PEM key.", "Give the file: file:/path/server.key.")
        version = values.number("crm_api_version", _finite, "Give a version such as 66.0.")
        if not API_FLOOR <= version < 1000:
            values.wrong("crm_api_version", f"is {version}.", f"Use {API_FLOOR} or newer.")
        share = values.number("crm_share", _finite, "Give a share between 0 and 1.")
        if not 0 < share <= 1:
            values.wrong("crm_share", f"is {share}.", "Give a share between 0 and 1.")
        return CrmSettings(
            url=url,
            token_url=values.get("crm_token_url") or (f"{url}/services/oauth2/token" if url else ""),
            audience=values.get("crm_audience") or url,
            client_id=values.secret(values.get("crm_client_id"), values.where("crm_client_id")),
            client_secret=secret,
            private_key=key,
            username=values.get("crm_username"),
            api_version=f"{version:.1f}",
            share=share,
        )

    def _crm_addresses(self, url: str) -> None:
        cure = "Give the org's My Domain address, https://NAME.my.salesforce.com (or a sandbox on loopback)."
        parts = parts_of(url)
        shared = parts is not None and parts.hostname in SHARED_HOSTS
        if url and (shared or not allowed_crm_host(url) or not is_bare(url)):
            self.values.wrong("crm_url", f"is {url!r}.", cure)
        token_url = self.values.get("crm_token_url")
        if token_url and not allowed_crm_host(token_url):
            self.values.wrong("crm_token_url", f"is {token_url!r}.", cure)
        audience = self.values.get("crm_audience")
        if audience and parts_of(audience) is None:
            self.values.wrong("crm_audience", f"is {audience!r}.", "Unset it, or use https://login.salesforce.com.")


def is_loopback(url: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    parts = parts_of(url)
    return parts is not None and parts.hostname in LOOPBACK


def _above_zero(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _few(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_PROXIES:
        raise ValueError(text)
    return number


def _share_or_none(text: str) -> float | None:
    if not text:
        return None
    share = float(text)
    if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
        raise ValueError(text)
    return share


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number

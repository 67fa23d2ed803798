"""Settings: environment CONNECTOR_* over an optional connector.toml, every problem at once.

Read only by ``app`` and ``cli``. Secrets may be references (``file:/run/secrets/x``, ``env:NAME``); they never enter
the database, a page or a log.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.errors import Problem, SettingsInvalid

API_FLOOR = 57.0
PLAIN: Mapping[str, str] = {
    "database_url": "", "data_dir": ".connector", "public_url": "http://127.0.0.1:8080", "secret_key": "",
    "timezone": "UTC", "mappings_dir": "", "crm_url": "", "crm_token_url": "", "crm_audience": "", "crm_client_id": "",
    "crm_client_secret": "", "crm_private_key": "", "crm_username": "", "crm_api_version": "66.0", "crm_share": "0.2",
    "clock_file": "", "admin_password": "", "inbox_cap": "100000", "company": "",
}  # fmt: skip
SECRET = frozenset({"secret_key", "crm_client_secret", "crm_private_key", "admin_password"})
SOURCE_KEYS = frozenset(
    {"mapping", "verification", "secrets", "account_ids", "verify_token", "topics", "max_bytes", "username", "audience"}
)
SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RESERVED_NAMES = frozenset({"api"})
"""Cases posted to the API are deliveries of this source."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A configured sender: its path segment, its mapping, one or two live secrets, and the brand's own account ids."""

    name: str
    mapping: str
    verification: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    account_ids: tuple[str, ...] = ()
    verify_token: str = field(default="", repr=False)
    topics: tuple[str, ...] = ()
    username: str = ""
    audience: str = ""
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CrmSettings:
    """Where the CRM is and how to sign in; an empty url means: no CRM configured, writes wait in the outbox."""

    url: str = ""
    token_url: str = ""
    audience: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    username: str = ""
    api_version: str = "66.0"
    share: float = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; names and defaults are promises (docs/settings.md)."""

    data_dir: Path
    database_url: str
    public_url: str
    secret_key: str = field(repr=False)
    timezone: str
    mappings_dir: Path
    crm: CrmSettings
    sources: Mapping[str, SourceSettings]
    clock_file: Path | None = None
    admin_password: str = field(default="", repr=False)
    inbox_cap: int = 100_000
    company: str = ""


def load_settings(
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of this process.

    Reads ``connector.toml`` (or the file that CONNECTOR_CONFIG names) and the environment, which wins. Raises
    SettingsInvalid carrying every problem, each with the place it stands and its cure.
    """
    env = dict(os.environ if environ is None else environ)
    path = file or Path(env.get("CONNECTOR_CONFIG", "connector.toml"))
    reader = _Reader(env, path, dict(overrides or {}))
    settings = reader.read()
    if reader.problems:
        raise SettingsInvalid(reader.problems)
    return settings


def default_mappings_dir() -> Path:
    """The shipped mappings: beside the package in a checkout, inside it in an installed wheel."""
    beside = Path(__file__).resolve().parent.parent / "mappings"
    return beside if beside.is_dir() else Path(__file__).resolve().parent / "_data" / "mappings"


class _Reader:
    def __init__(self, env: Mapping[str, str], path: Path, overrides: Mapping[str, Any]) -> None:
        self.env = env
        self.path = path
        self.overrides = overrides
        self.problems: list[Problem] = []
        self.toml = self._toml()

    def problem(self, where: str, what: str, cure: str) -> None:
        self.problems.append(Problem(where, what, cure))

    def _toml(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            if "CONNECTOR_CONFIG" in self.env:
                self.problem("CONNECTOR_CONFIG", f"names {self.path}, which does not exist.", "Correct the path.")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.problem(str(self.path), f"is not TOML: {error}.", "Correct the line.")
        except OSError as error:
            self.problem(str(self.path), f"cannot be read: {error.strerror}.", "Give this user read access.")
        return {}

    def value(self, name: str) -> tuple[str, str]:
        variable = f"CONNECTOR_{name.upper()}"
        if name in self.overrides:
            return str(self.overrides[name]), name
        if self.env.get(variable):
            return self.env[variable], variable
        if name in self.toml:
            return str(self.toml[name]), f"{self.path}: {name}"
        return PLAIN[name], variable

    def secret(self, raw: str, where: str) -> str:
        if raw.startswith("env:"):
            found = self.env.get(raw[4:], "")
            if not found:
                self.problem(where, f"refers to the variable {raw[4:]}, which is not set.", "Set it.")
            return found
        if raw.startswith("file:"):
            try:
                return Path(raw[5:]).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not text"
                self.problem(
                    where, f"refers to the file {raw[5:]}, which cannot be read ({reason}).", "Correct the path."
                )
                return ""
        return raw

    def convert(self, name: str, kind: Callable[[str], Any], cure: str, default: Any) -> Any:
        raw, where = self.value(name)
        try:
            return kind(raw)
        except ValueError:
            self.problem(where, f"is {raw!r}.", cure)
            return default

    def read(self) -> Settings:
        for name in sorted(set(self.toml) - set(PLAIN) - {"sources"}):
            self.problem(f"{self.path}: {name}", "is not a setting.", f"Use one of: {', '.join(sorted(PLAIN))}.")
        values = {name: self.value(name)[0] for name in PLAIN}
        for name in SECRET:
            values[name] = self.secret(values[name], self.value(name)[1])
        data_dir = Path(values["data_dir"]).expanduser()
        clock = Path(values["clock_file"]) if values["clock_file"] else None
        if clock is not None and not clock.is_file():
            self.problem("CONNECTOR_CLOCK_FILE", f"names {clock}, which does not exist.", "Unset it outside tests.")
        return Settings(
            data_dir=data_dir,
            database_url=self._database_url(values["database_url"]) or f"sqlite:///{data_dir / 'connector.db'}",
            public_url=self._public_url(values["public_url"]),
            secret_key=self._secret_key(values["secret_key"]),
            timezone=self._timezone(values["timezone"]),
            mappings_dir=self._mappings_dir(values["mappings_dir"]),
            crm=self._crm(values),
            sources=self._sources(),
            clock_file=clock,
            admin_password=values["admin_password"],
            inbox_cap=self.convert("inbox_cap", _above_zero, "Give a whole number of waiting deliveries.", 100_000),
            company=values["company"],
        )

    def _secret_key(self, key: str) -> str:
        if key and len(key) < 32:
            self.problem("CONNECTOR_SECRET_KEY", "is shorter than 32 characters.", "Make one: `openssl rand -hex 32`.")
        return key

    def _database_url(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if url and not (scheme.startswith(("sqlite", "postgresql")) and rest and rest not in ("/", "/:memory:")):
            # Never quoted: it may hold a password.
            self.problem(
                self.value("database_url")[1],
                "is no address of a database that lasts.",
                "Use sqlite:///PATH or postgresql+psycopg://USER@HOST/DB.",
            )
        return url

    def _public_url(self, url: str) -> str:
        parts = _parts(url)
        if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            self.problem(
                self.value("public_url")[1],
                f"is {url!r}.",
                "Give the address customers and providers use: https://host/path.",
            )
        return url.rstrip("/")

    def _timezone(self, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            where = self.value("timezone")[1]
            self.problem(where, f"is {name!r}, not an IANA zone.", "Use a name such as Europe/Berlin.")
        return name

    def _mappings_dir(self, raw: str) -> Path:
        folder = Path(raw).expanduser() if raw else default_mappings_dir()
        if not folder.is_dir():
            where = self.value("mappings_dir")[1]
            self.problem(
                where, f"names {folder}, which is not a folder.", "Correct it, or unset it for the shipped mappings."
            )
        return folder

    def _crm(self, values: Mapping[str, str]) -> CrmSettings:
        url = values["crm_url"].rstrip("/")
        for name in ("crm_url", "crm_token_url"):
            if values[name] and not allowed_crm_host(values[name]):
                self.problem(
                    self.value(name)[1],
                    f"is {values[name]!r}.",
                    "Give the org's My Domain address, https://<name>.my.salesforce.com (or a sandbox on loopback).",
                )
        if url and not values["crm_client_id"]:
            self.problem("CONNECTOR_CRM_CLIENT_ID", "is not set.", "Copy the consumer key of the External Client App.")
        if url and not (values["crm_client_secret"] or values["crm_private_key"]):
            self.problem(
                "CONNECTOR_CRM_CLIENT_SECRET", "is not set, nor is CONNECTOR_CRM_PRIVATE_KEY.", "Set one of the two."
            )
        if values["crm_private_key"] and not values["crm_username"]:
            self.problem("CONNECTOR_CRM_USERNAME", "is not set.", "JWT bearer needs the integration user's name.")
        version = self.convert("crm_api_version", float, "Give a version such as 66.0.", 66.0)
        if not version >= API_FLOOR:
            self.problem("CONNECTOR_CRM_API_VERSION", f"is {version}.", f"Use {API_FLOOR} or newer.")
        share = self.convert("crm_share", float, "Give a share between 0 and 1.", 0.2)
        if not 0 < share <= 1:
            self.problem("CONNECTOR_CRM_SHARE", f"is {share}.", "Give a share between 0 and 1.")
        return CrmSettings(
            url=url,
            token_url=values["crm_token_url"] or (f"{url}/services/oauth2/token" if url else ""),
            audience=values["crm_audience"] or url,
            client_id=values["crm_client_id"],
            client_secret=values["crm_client_secret"],
            private_key=values["crm_private_key"],
            username=values["crm_username"],
            api_version=f"{version:.1f}",
            share=share,
        )

    def _sources(self) -> dict[str, SourceSettings]:
        table = self.toml.get("sources", {})
        if not isinstance(table, dict):
            self.problem(f"{self.path}: sources", "is not a table.", "Write [sources.NAME] sections.")
            return {}
        return {name: source for name, raw in table.items() if (source := self._source(name, raw)) is not None}

    def _source(self, name: str, raw: Any) -> SourceSettings | None:
        where = f"{self.path}: sources.{name}"
        if not SOURCE_NAME.fullmatch(name) or name in RESERVED_NAMES:
            self.problem(
                where,
                "cannot be a source's name: it is the last part of the webhook address.",
                f"Use letters, digits, _ and -; not {' or '.join(sorted(RESERVED_NAMES))}.",
            )
        if not isinstance(raw, dict):
            self.problem(where, "is not a table.", f"Write a [sources.{name}] section.")
            return None
        for key in sorted(set(raw) - SOURCE_KEYS):
            self.problem(f"{where}.{key}", "is not a setting of a source.", f"Use: {', '.join(sorted(SOURCE_KEYS))}.")
        if not isinstance(raw.get("mapping"), str):
            self.problem(where, "names no mapping.", 'Add mapping = "messenger" (or another file of mappings/sources).')
            return None
        secrets = [self.secret(str(each), f"{where}.secrets") for each in self._strings(raw, "secrets", where)]
        if not secrets:
            self.problem(
                f"{where}.secrets", "is empty: unsigned deliveries are never taken.", "Add the provider's secret."
            )
        if len(secrets) > 2:
            self.problem(
                f"{where}.secrets",
                "has more than two entries.",
                "Keep the current one and, while rotating, the previous.",
            )
        limit = raw.get("max_bytes")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            self.problem(f"{where}.max_bytes", f"is {limit!r}.", "Give a whole number of bytes.")
            limit = None
        return SourceSettings(
            name=name,
            mapping=raw["mapping"],
            verification=str(raw.get("verification", "")),
            secrets=tuple(secrets),
            account_ids=tuple(self._strings(raw, "account_ids", where)),
            verify_token=self.secret(str(raw.get("verify_token", "")), f"{where}.verify_token"),
            topics=tuple(self._strings(raw, "topics", where)),
            username=str(raw.get("username", "")),
            audience=str(raw.get("audience", "")),
            max_bytes=limit,
        )

    def _strings(self, raw: Mapping[str, Any], key: str, where: str) -> list[str]:
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str | int) for each in value):
            self.problem(f"{where}.{key}", "is not a list of strings.", f'Write {key} = ["…"].')
            return []
        return [str(each) for each in value]


def _above_zero(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is none
        return None
    return parts if whole else None


def allowed_crm_host(url: str) -> bool:
    """Whether an address may be called as the CRM: https at *.salesforce.com, or loopback (the sandbox)."""
    parts = _parts(url)
    if parts is None:
        return False
    host = parts.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1"):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and (host == "salesforce.com" or host.endswith(".salesforce.com"))

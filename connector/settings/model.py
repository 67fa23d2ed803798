"""What can be set: names and defaults are promises (docs/settings.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
    scope: str = ""
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
    """Everything that can be set."""

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
    trusted_proxies: int = 0
    known_share: float | None = None

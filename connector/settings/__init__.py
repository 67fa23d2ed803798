"""Settings: environment CONNECTOR_* over an optional connector.toml, every problem at once.

Read only by ``app`` and ``cli``. Secrets may be references (``file:/run/secrets/x``, ``env:NAME``); they never enter
the database, a page or a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.errors import Problem, SettingsInvalid
from connector.settings.addresses import allowed_crm_host, is_web_address
from connector.settings.model import CrmSettings, Settings, SourceSettings
from connector.settings.reader import LEAST_SHARE, Reader, default_mappings_dir, is_loopback
from connector.settings.sources import SOURCE_KEYS
from connector.settings.values import PLAIN, Values

__all__ = [
    "LEAST_SHARE", "PLAIN", "SOURCE_KEYS", "CrmSettings", "Settings", "SourceSettings", "allowed_crm_host",
    "default_mappings_dir", "is_loopback", "is_web_address", "load_settings",
    "read_settings",
]  # fmt: skip


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
    settings, problems = read_settings(environ, file, overrides=overrides)
    if problems:
        raise SettingsInvalid(problems)
    return settings


def read_settings(
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings of this process and all that is wrong with them; what a problem names is not to be relied on.

    For who can do without the wrong ones, such as `connector check`; everybody else calls ``load_settings``.
    """
    env = dict(os.environ if environ is None else environ)
    values = Values(env, file or Path(env.get("CONNECTOR_CONFIG", "connector.toml")), dict(overrides or {}))
    settings = Reader(values).read()
    return settings, tuple(values.problems)

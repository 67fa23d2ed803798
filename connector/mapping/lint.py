"""Mapping files checked before they are used: each is read as what its name and folder make it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from connector.domain.consent import Purpose
from connector.errors import MappingInvalid, Problem
from connector.mapping.channels import ChannelRegister, load_channels
from connector.mapping.crm import load_crm_mapping
from connector.mapping.loader import load_mapping
from connector.mapping.notices import read_notice
from connector.mapping.purposes import load_consent, read_purposes
from connector.mapping.yamlfile import Findings

T = TypeVar("T")
FOLDERS = ("sources", "notices", "crm")
"""What a whole mappings folder has, beside channels.yml and purposes.yml."""


def check_mappings(paths: Iterable[Path], shipped: Path | None = None, company: str = "") -> list[Problem]:
    """Every problem in the files given, or in all files of the folders given.

    The tables that a file is checked against (channels.yml, purposes.yml) are those beside it; files that are kept
    elsewhere and have none are checked against those of the ``shipped`` folder. Wordings must fit with the ``company``.
    """
    lint = _Lint(shipped, company)
    for path in paths:
        if is_whole(path):
            lint.whole(path)
        else:
            for each in mapping_files(path):
                lint.file(each)
    return lint.problems


def mapping_files(given: Path) -> list[Path]:
    """The mapping files that a path stands for: itself, those of the folder, or all of a whole mappings folder."""
    if not given.is_dir():
        return [given]
    folders = [given, *(given / name for name in FOLDERS)] if is_whole(given) else [given]
    return [path for folder in folders for path in sorted(folder.glob("*.yml"))]


def is_whole(path: Path) -> bool:
    """Whether a path is a whole mappings folder."""
    return (path / "sources").is_dir()


class _Lint:
    def __init__(self, shipped: Path | None, company: str) -> None:
        self.problems: list[Problem] = []
        self._shipped = shipped
        self._company = company
        self._channels = cache(self._read_channels)
        self._purposes = cache(self._read_purposes)

    def whole(self, home: Path) -> None:
        """Checks a whole folder, its wordings together: each place to ask at needs exactly one."""
        for path in (home / "channels.yml", *sorted((home / "sources").glob("*.yml")), home / "crm" / "salesforce.yml"):
            self.file(path)
        self._try(lambda folder: load_consent(folder, self._company), home)

    def file(self, path: Path) -> None:
        """Checks one file."""
        folder = path.parent.name
        if path.name == "channels.yml":
            self._channels(path)
        elif path.name == "purposes.yml":
            self._purposes(path)
        elif folder == "notices":
            findings = Findings(f"notices/{path.name}")
            read_notice(
                path, findings.file, self._purposes(self._beside(path, "purposes.yml")), self._company, findings
            )
            self.problems += findings.problems
        elif folder == "crm":
            self._try(load_crm_mapping, path)
        else:
            known = self._channels(self._beside(path, "channels.yml"))
            if known is not None:
                self._try(lambda each: load_mapping(each, known), path)

    def _beside(self, path: Path, table: str) -> Path:
        home = path.parent.parent if path.parent.name in FOLDERS else path.parent
        found = home / table
        return self._shipped / table if self._shipped is not None and not found.is_file() else found

    def _read_channels(self, path: Path) -> ChannelRegister | None:
        return self._try(load_channels, path)

    def _read_purposes(self, path: Path) -> Mapping[str, Purpose]:
        return read_purposes(path, self.problems)

    def _try(self, load: Callable[[Path], T], path: Path) -> T | None:
        try:
            return load(path)
        except MappingInvalid as error:
            self.problems += error.problems
            return None

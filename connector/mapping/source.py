"""A sender as its mapping file describes it: how it proves itself, and how its bodies become normal events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.mapping.channels import ChannelRegister
from connector.mapping.normalise import Normalised, normalise
from connector.mapping.schema import Group


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """One sender: how its requests are verified and how its bodies become normal events."""

    name: str
    title: str
    version: int
    network: str
    verifications: tuple[str, ...]
    handshake: str | None
    body_format: str
    max_bytes: int
    headers: tuple[str, ...]
    groups: tuple[Group, ...]
    channels: ChannelRegister
    file: str

    @property
    def verification(self) -> str:
        """The scheme used unless the source's settings name another of ``verifications``."""
        return self.verifications[0]

    def normalise(
        self,
        body: bytes,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        content_type: str = "",
        account_ids: Sequence[str] = (),
    ) -> Normalised:
        """Every item of the body as an event or a failure; a body that cannot be read is one failure at `$`.

        ``account_ids`` are the brand's own accounts: what they write is outbound.
        """
        return normalise(self, body, headers, content_type, account_ids)

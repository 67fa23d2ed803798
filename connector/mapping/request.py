"""One HTTP request as the signature rules need it: raw, with every header line kept."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from connector.errors import SignatureInvalid


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request before anything is believed.

    ``url`` is the public address with its query, built from the configured public URL and never from the Host header;
    ``headers`` keeps repeated lines, because two signature headers are refused.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value sent under this header name, in order, whatever the case of the name."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def header(self, name: str) -> str:
        """The one value of a header; SignatureInvalid when it is missing, empty, repeated or not ASCII."""
        values = self.values(name)
        if len(values) != 1:
            state = "is missing" if not values else "was sent more than once"
            raise SignatureInvalid(f"The header {name} {state}; only a signed request is taken.")
        value = values[0].strip(" \t")
        if not value or not value.isascii():
            raise SignatureInvalid(f"The header {name} is empty or holds other than ASCII characters.")
        return value

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; "" where none was sent."""
        return next(iter(self.values("content-type")), "").partition(";")[0].strip().lower()

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order, blank values kept."""
        try:
            return parse_qsl(urlsplit(self.url).query, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return []

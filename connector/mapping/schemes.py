"""The verification schemes as data: which header, which bytes, which window (schemes.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from connector.errors import MappingInvalid, Problem
from connector.mapping.yamlfile import Findings, Node, parse_yaml, suggest

Kind = Literal[
    "hmac", "standard_webhooks", "twilio", "mailgun", "ecdsa", "signed_request",
    "token_header", "body_token", "oidc", "basic_auth", "url_token",
]  # fmt: skip
HASHES = ("sha1", "sha256")
ENCODINGS = ("hex", "base64")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One provider's rule; the fields that a kind does not use stay empty."""

    name: str
    kind: str
    header: str = ""
    hash: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    signed: str = "{body}"
    time_header: str = ""
    time_format: str = "epoch"
    time_key: str = ""
    mac_key: str = ""
    settings_header: str = ""
    field: str = ""
    tolerance: int = 300


_FIELDS = tuple(each for each in Scheme.__slots__ if each != "name")


@dataclass(frozen=True, slots=True)
class Schemes:
    """Every scheme by name, and those that are refused with the reason."""

    known: Mapping[str, Scheme]
    refused: Mapping[str, str]


@cache
def schemes() -> Schemes:
    """The packaged schemes, read once."""
    findings = Findings("connector/mapping/schemes.yaml")
    root = parse_yaml(files("connector.mapping").joinpath("schemes.yaml").read_bytes(), findings)
    found: dict[str, Scheme] = {}
    refused: dict[str, str] = {}
    if root is not None and findings.closed(root, ("schemes", "refused"), ("schemes", "refused")):
        for part, each in root.items():
            for name, node in each.items():
                if part == "schemes":
                    found[name] = _scheme(name, node, findings)
                else:
                    refused[name] = findings.text(node)
    if findings.problems:
        raise MappingInvalid(findings.problems)
    return Schemes(found, refused)


def _scheme(name: str, node: Node, findings: Findings) -> Scheme:
    findings.closed(node, _FIELDS, ("kind",))
    findings.choice(node.get("kind"), get_args(Kind))
    findings.choice(node.get("hash"), HASHES)
    findings.choice(node.get("encoding"), ENCODINGS)
    words = {key: findings.text(each) for key, each in node.items() if key != "tolerance" and key in _FIELDS}
    return Scheme(name=name, tolerance=findings.number(node.get("tolerance"), 300), **words)


def scheme_problem(name: str) -> Problem | None:
    """Why a source cannot use this scheme, with the cure; None when it can."""
    table = schemes()
    if name in table.known:
        return None
    if name in table.refused:
        return Problem(
            f"verification {name}",
            table.refused[name],
            "Put a relay in front that signs with Standard Webhooks, or use `basic_auth` if the provider can send it.",
        )
    return Problem(f"verification {name}", "There is no scheme of this name.", suggest(name, table.known))

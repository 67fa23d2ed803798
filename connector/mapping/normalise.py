"""Bodies into normal events: pure, item by item, so that one bad item never costs the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility
from connector.domain.events import Attachment, Author, Event
from connector.errors import PayloadUnreadable
from connector.mapping.bodies import parse_body
from connector.mapping.fields import FIELDS, FieldWrong, web_address
from connector.mapping.paths import Getter, PathFailed, Scope
from connector.mapping.schema import Group, Rule
from connector.mapping.times import TimeUnreadable
from connector.mapping.transforms import TransformFailed
from connector.mapping.walk import MAX_ITEMS, Coverage, Found, Misplaced, TooMany, walk

if TYPE_CHECKING:
    from connector.mapping.source import SourceMapping

MAX_ATTACHMENTS = 50
_OF_AUTHOR = {name: name.removeprefix("author.") for name in FIELDS if name.startswith("author.")}
_UNREADABLE = (PathFailed, TransformFailed, TimeUnreadable)
Word = TypeVar("Word", Direction, Visibility, AuthorRole)
_ROLE = {
    Direction.INBOUND: AuthorRole.CUSTOMER,
    Direction.OUTBOUND: AuthorRole.AGENT,
    Direction.INTERNAL: AuthorRole.AGENT,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item could not become an event: its place in the body, a stable code, the reason and the cure."""

    path: str
    code: str
    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item: the event it became, or the failure.

    ``digest`` is set where the sender gives neither item id nor event id: the hash of the item stands in for them.
    """

    path: str
    event: Event | None = None
    failure: Failure | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Normalised:
    """What one body became, item by item, in the body's order."""

    items: tuple[ItemResult, ...]

    @property
    def events(self) -> list[Event]:
        """The events alone."""
        return [each.event for each in self.items if each.event is not None]

    @property
    def failures(self) -> list[Failure]:
        """The failures alone."""
        return [each.failure for each in self.items if each.failure is not None]


class ItemWrong(Exception):
    """An item cannot become an event."""

    def __init__(self, code: str, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.cure = code, reason, cure

    def at(self, path: str) -> ItemResult:
        """The result for the item at this place."""
        return ItemResult(path, failure=Failure(path, self.code, self.reason, self.cure))


def normalise(
    mapping: SourceMapping,
    body: bytes,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    content_type: str = "",
    account_ids: Sequence[str] = (),
) -> Normalised:
    """Every item of the body as an event or a failure; a body that cannot be read is one failure at `$`."""
    try:
        root = parse_body(mapping.body_format, body, content_type)
    except PayloadUnreadable as error:
        wrong = ItemWrong(error.code, error.message, "Ask the sender, or correct `body` in the mapping, then replay.")
        return Normalised((wrong.at("$"),))
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    kept = {name.lower(): value for name, value in pairs if name.lower() in mapping.headers}
    accounts = frozenset(each.casefold() for each in account_ids)
    only = account_ids[0] if len(account_ids) == 1 else None
    try:
        return Normalised(_without_repeats(_results(mapping, root, kept, accounts, only)))
    except TooMany:
        wrong = ItemWrong("too_many_items", f"More than {MAX_ITEMS} items in one body.", "Ask for smaller batches.")
        return Normalised((wrong.at("$"),))


def _without_repeats(results: Iterator[ItemResult]) -> tuple[ItemResult, ...]:
    """Two walks may meet the same broken container: it is reported once."""
    kept: list[ItemResult] = []
    broken: set[str] = set()
    for each in results:
        if len(kept) >= MAX_ITEMS:
            raise TooMany
        if each.failure is not None and each.path in broken:
            continue
        if each.failure is not None:
            broken.add(each.path)
        kept.append(each)
    return tuple(kept)


def _results(
    mapping: SourceMapping, root: Any, headers: Mapping[str, str], accounts: frozenset[str], only: str | None
) -> Iterator[ItemResult]:
    coverage = Coverage()
    outer = Scope(root, (root,), headers, accounts, {})
    for group in mapping.groups:
        if not _fits(group, outer):
            continue
        for found in walk(group.each, root, coverage):
            yield _item(mapping, group, found, outer, only)
    if not coverage.hits and not coverage.misses:
        coverage.misses["$"] = root
    for path, value in coverage.unread().items():
        yield ItemResult(path, _unread(mapping, value), digest=_digest(value))


def _fits(group: Group, outer: Scope) -> bool:
    try:
        return group.condition(outer)
    except PathFailed:
        return False


def _unread(mapping: SourceMapping, value: Any) -> Event:
    """What no walk looked into is kept as unknown, with the names of its keys to write a rule by."""
    keys = ", ".join(sorted(str(key)[:40] for key in value)[:20]) if isinstance(value, dict) else ""
    network = mapping.channels.canonical_network(mapping.network) or mapping.network
    return Event(network, Kind.UNKNOWN, Direction.INBOUND, extra={"keys": keys})


def _item(mapping: SourceMapping, group: Group, found: Found, outer: Scope, only: str | None) -> ItemResult:
    arrived = len(found.frames) == len(group.each.frames) + 1
    if group.wrap and arrived and isinstance(found.item, (str, int)):
        found = Found(found.path, {group.wrap: found.item}, found.frames)
    if type(found.item) is not dict:
        needed = "a list" if isinstance(found.item, Misplaced) else "an object"
        return ItemWrong("item_malformed", f"Here {needed} is needed.", "Ask the sender, or change `each`.").at(
            found.path
        )
    scope = outer.of_item(found.item, found.frames, group.lets)
    try:
        rule = next((each for each in group.rules if each.condition(scope)), group.unknown)
        event = _lenient(mapping, rule, scope, only) if rule.kind in _LENIENT else build(mapping, rule, scope, only)
    except ItemWrong as wrong:
        return wrong.at(found.path)
    except _UNREADABLE as error:
        return ItemWrong("condition_failed", f"A condition failed: {error}.", "Correct `when`.").at(found.path)
    return ItemResult(found.path, event, digest=None if event.item_id or event.event_id else _digest(found.item))


_LENIENT = frozenset({Kind.IGNORE, Kind.UNKNOWN})


def _lenient(mapping: SourceMapping, rule: Rule, scope: Scope, only: str | None) -> Event:
    """An ignored or unknown item is kept even when a field of it cannot be read."""
    try:
        return build(mapping, rule, scope, only)
    except ItemWrong:
        network = mapping.channels.canonical_network(mapping.network) or mapping.network
        return Event(network, rule.kind, Direction.INBOUND)


def _digest(item: Any) -> str:
    text = json.dumps(item, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return sha256(text.encode("ascii")).hexdigest()


def build(mapping: SourceMapping, rule: Rule, scope: Scope, only: str | None = None) -> Event:
    """The event that the rule makes of the item; ItemWrong with the field and the cure when it cannot."""
    values = _values(rule, scope)
    for name in rule.require:
        if values.get(name) is None:
            raise ItemWrong("field_missing", f"`{name}` is missing.", f"Ask the sender, or correct `{name}`.")
    account = values.get("account_id") or only
    author = Author(**{_OF_AUTHOR[name]: value for name, value in values.items() if name in _OF_AUTHOR})
    direction = _direction(rule, scope, author.external_id, account)
    usual = AuthorRole.UNKNOWN if rule.kind in _LENIENT else _ROLE[direction]
    role = _word(rule.author_role, scope, AuthorRole, "author_role") or usual
    customer = values.get("customer_id")
    if direction is Direction.INBOUND and author.external_id is not None:
        customer = author.external_id
    return Event(
        network=_network(mapping, rule, scope),
        kind=rule.kind,
        direction=direction,
        visibility=_word(rule.visibility, scope, Visibility, "visibility"),
        scope=values.get("scope") or "",
        event_id=values.get("event_id"),
        item_id=values.get("item_id"),
        account_id=account,
        thread_id=values.get("thread_id"),
        parent_id=values.get("parent_id"),
        occurred_at=values.get("occurred_at"),
        version=values.get("version"),
        text=values.get("text"),
        lang=values.get("lang"),
        permalink=values.get("permalink"),
        author=author,
        author_role=role,
        customer_id=None if _is_brand(customer, account, scope) else customer,
        attachments=_attachments(rule, scope) if rule.attachments else (),
        extra=_extra(rule, scope),
    )


def _values(rule: Rule, scope: Scope) -> dict[str, Any]:
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, getter, accept in rule.fields:
            value = getter(scope)
            if value is not None:
                values[name] = accept(value)
    except FieldWrong as error:
        raise ItemWrong("field_wrong", f"`{name}`: {error}.", f"Correct `{name}` in the mapping.") from None
    except _UNREADABLE as error:
        raise _unreadable(name, error) from None
    return values


def _extra(rule: Rule, scope: Scope) -> dict[str, Any]:
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, getter in rule.extra:
            value = getter(scope)
            if value is not None:
                values[name] = value
    except _UNREADABLE as error:
        raise _unreadable(name, error) from None
    return values


def _read(name: str, getter: Getter, scope: Scope) -> Any:
    try:
        return getter(scope)
    except _UNREADABLE as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> ItemWrong:
    if isinstance(error, TimeUnreadable):
        return ItemWrong("time_unreadable", f"`{name}`: {error}.", "Correct `time` in the mapping.")
    return ItemWrong("value_unreadable", f"`{name}`: {error}.", f"Correct `{name}` in the mapping.")


def _direction(rule: Rule, scope: Scope, author: str | None, account: str | None) -> Direction:
    stated = _word(rule.direction, scope, Direction, "direction")
    if stated is not None:
        return stated
    return Direction.OUTBOUND if _is_brand(author, account, scope) else Direction.INBOUND


def _is_brand(someone: str | None, account: str | None, scope: Scope) -> bool:
    return someone is not None and (someone == account or someone.casefold() in scope.accounts)


def _word(getter: Getter | None, scope: Scope, words: type[Word], name: str) -> Word | None:
    if getter is None:
        return None
    value = _read(name, getter, scope)
    if value is None:
        return None
    try:
        return words(value)
    except ValueError:
        raise ItemWrong(
            "value_unknown", f"`{name}` has a value that is not known.", f"Add it under `{name}`."
        ) from None


def _network(mapping: SourceMapping, rule: Rule, scope: Scope) -> str:
    name = _read("network", rule.network, scope)
    if isinstance(name, str) and name in mapping.channels.networks:
        return name
    canonical = mapping.channels.canonical_network(name) if isinstance(name, str) else None
    if canonical is None:
        raise ItemWrong("network_unknown", "The network is missing or unknown.", "Add it to mappings/channels.yml.")
    return canonical


def _attachments(rule: Rule, scope: Scope) -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    for each in rule.attachments:
        listed = _read("attachments", each.each, scope)
        for element in listed if isinstance(listed, list) else [listed]:
            if element is None or len(found) >= MAX_ATTACHMENTS:
                continue
            inside = Scope(element, (element,), {}, frozenset(), {})
            kind = _read("attachments", each.kind, inside)
            url = web_address(_read("attachments", each.url, inside))
            found.append(Attachment(kind if isinstance(kind, str) and kind else "file", url))
    return tuple(found)

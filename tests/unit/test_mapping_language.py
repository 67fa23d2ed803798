"""The mapping language: one test for each thing that a mapping file can say."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import Mock

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.events import Event
from connector.mapping import specs
from connector.mapping.channels import load_channels
from connector.mapping.loader import load_mappings, parse_mapping
from connector.mapping.normalise import Normalised
from connector.mapping.paths import compile_expression
from connector.mapping.source import SourceMapping
from tests.corpus import ROOT

CHANNELS = load_channels(ROOT / "mappings" / "channels.yml")
SHIPPED = load_mappings(ROOT / "mappings")
HEAD = "source: sample\nversion: 1\nnetwork: community\nverification: url_token\n"


def mapping(items: str, head: str = "") -> SourceMapping:
    return parse_mapping("sample", f"{HEAD}{head}items:\n{items}".encode(), CHANNELS)


def run(items: str, body: Any, head: str = "", **more: Any) -> Normalised:
    return mapping(items, head).normalise(json.dumps(body).encode(), **more)


def only(items: str, body: Any, head: str = "", **more: Any) -> Event:
    result = run(items, body, head, **more)
    assert result.failures == []
    (event,) = result.events
    return event


def text_of(spec: str, body: Any, head: str = "", **more: Any) -> str | None:
    """What a field specification gives for a body."""
    return only(
        f"  - each: '@'\n    set:\n      text: {spec}\n    rules: [{{kind: message}}]\n", body, head, **more
    ).text


WRAPPED = [{"data": {"id": 7, "name": "x"}}]
OTHER_KEY = [{"uid": "7", "name": "x"}]


@pytest.mark.parametrize(
    ("spec", "body", "result"),
    [
        ("a.b", {"a": {"b": "x"}}, "x"),
        ("a.b", {"a": "not an object"}, None),
        ("a.b", {"a": {"b": ""}}, None),
        ("a || b", {"b": "y"}, "y"),
        ("'list[?on].name | [0]'", {"list": [{"on": False, "name": "1"}, {"on": True, "name": "2"}]}, "2"),
        ("'\"odd-name\"'", {"odd-name": "x"}, "x"),
        ("{value: fixed}", {}, "fixed"),
        ("{path: a, default: none}", {}, "none"),
        ("{path: a, then: [strip], default: none}", {"a": "  "}, "none"),
        ("{path: a, then: [{strip_prefix: 'x:'}, upper]}", {"a": "x:y"}, "Y"),
        ("{first: [a, {path: b}, {value: c}]}", {"a": "", "b": None}, "c"),
        ("{join: [a, b], with: '-'}", {"a": 1, "b": "2"}, "1-2"),
        ("{join: [a, b], with: '-'}", {"a": 1}, None),
        ("{join: [a, b], with: '-', missing: skip}", {"a": 1, "b": ""}, "1"),
        ("{join: [\"'at:/'\", a], with: /}", {"a": "x"}, "at://x"),
        ("{choose: a, from: {'1': one, 'true': yes-word, 'null': none}, else: other}", {"a": 1}, "one"),
        ("{choose: a, from: {'1': one, 'true': yes-word, 'null': none}, else: other}", {"a": True}, "yes-word"),
        ("{choose: a, from: {'1': one, 'true': yes-word, 'null': none}, else: other}", {}, "none"),
        ("{choose: a, from: {'1': one}, else: other}", {"a": "?"}, "other"),
        ("{lookup: {in: users, by: id}, take: name}", {"id": 7, "users": {"7": {"name": "x"}}}, "x"),
        ("{lookup: {in: users, by: id, unwrap: data}, take: name}", {"id": "7", "users": WRAPPED}, "x"),
        ("{lookup: {in: users, by: id, key: [uid, id]}, take: name}", {"id": "7", "users": OTHER_KEY}, "x"),
        ("{lookup: {in: users, by: id}, take: name}", {"id": "8", "users": [1, None, {"id": "7"}]}, None),
        ("{lookup: {in: users, by: id}, take: name}", {"users": {"7": {}}}, None),
        ("{path: a, then: [json, {join: +}]}", {"a": "[1,2]"}, "1+2"),
    ],
)  # fmt: skip
def test_a_value_comes_from(spec: str, body: Any, result: str | None) -> None:
    assert text_of(spec, body) == result


def test_a_named_value_may_use_those_above_it_and_is_worked_out_once() -> None:
    head = "let:\n  inner: {path: content, then: [json]}\n  who: {first: [$inner.from.name, $inner.name]}\n"
    assert text_of("$who", {"content": '{"name":"x"}'}, head) == "x"
    assert text_of("'$inner.list[1]'", {"content": '{"list":[1,2]}'}, head) == "2"


def test_a_header_is_read_whatever_its_case_and_only_if_kept() -> None:
    head = "headers: [X-Event]\n"
    assert text_of("{header: x-event}", {}, head, headers={"X-EVENT": "made"}) == "made"
    assert text_of("{header: x-event}", {}, head, headers=[("x-other", "made")]) is None


WALK = """
  - each: entry[].changes[].value.messages[]
    set:
      item_id: id
      account_id: '^entry[].id'
      thread_id: '^entry[].changes[].value.thread'
      scope: ^site
      parent_id: '^entry[0].id'
    rules: [{kind: message}]
"""


def change(thread: str, *ids: int) -> dict[str, Any]:
    return {"value": {"thread": thread, "messages": [{"id": each} for each in ids]}}


def test_a_walk_knows_the_envelopes_that_each_item_stands_in() -> None:
    body = {
        "site": "s",
        "entry": [{"id": "e1", "changes": [change("t1", 1, 2)]}, {"id": "e2", "changes": [change("t2", 3)]}],
    }
    result = run(WALK, body)
    assert [(each.item_id, each.account_id, each.thread_id, each.scope, each.parent_id) for each in result.events] == [
        ("1", "e1", "t1", "s", "e1"),
        ("2", "e1", "t1", "s", "e1"),
        ("3", "e2", "t2", "s", "e1"),
    ]
    assert [each.path for each in result.items][-1] == "$.entry[1].changes[0].value.messages[0]"


def test_a_leading_list_takes_one_object_or_many() -> None:
    items = "  - each: '[]'\n    set: {item_id: id}\n    rules: [{kind: message}]\n"
    assert [each.item_id for each in run(items, {"id": 1}).events] == ["1"]
    assert [each.item_id for each in run(items, [{"id": 1}, {"id": 2}]).events] == ["1", "2"]


def test_plain_values_of_a_list_can_be_named() -> None:
    items = "  - each: gone[]\n    wrap: number\n    set: {item_id: number}\n    rules: [{kind: post_delete}]\n"
    result = run(items, {"gone": [11, "12", None, 1.5, {}]})
    assert [each.item_id for each in result.events] == ["11", "12"]
    assert [each.path for each in result.failures] == ["$.gone[2]", "$.gone[3]", "$.gone[4]"]


def test_an_empty_batch_is_no_event_at_all() -> None:
    assert run("  - each: events[]\n    rules: [{kind: message}]\n", {"events": []}).items == ()


@pytest.mark.parametrize("body", [{}, {"other": 1}, {"events": None}])
def test_a_body_that_no_walk_looks_into_is_kept_as_unknown(body: Any) -> None:
    event = only("  - each: events[]\n    rules: [{kind: message}]\n", body)
    assert event.kind == "unknown"
    assert event.extra["keys"] == ", ".join(body)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("text", "$"), (7, "$"), (None, "$"), ({"events": {}}, "$.events"), ({"events": "x"}, "$.events"),
        ({"events": [1]}, "$.events[0]"), ({"events": [[]]}, "$.events[0]"),
    ],
)  # fmt: skip
def test_a_thing_of_the_wrong_shape_is_one_located_failure(body: Any, path: str) -> None:
    result = run(
        "  - each: events[]\n    rules: [{kind: message}]\n  - each: events[]\n    rules: [{kind: post}]\n", body
    )
    assert [each.path for each in result.failures] == [path]
    assert result.events == []


@pytest.mark.parametrize("body", ["text", 7, None])
def test_a_body_that_is_neither_one_event_nor_a_list_is_told_once(body: Any) -> None:
    result = run("  - each: '[]'\n    rules: [{kind: message}]\n", body)
    assert [each.path for each in result.failures] == ["$"]
    assert result.events == []


RULES = """
  - each: '@'
    direction: inbound
    visibility: public
    set: {text: a, item_id: id}
    rules:
      - {when: {a: [x, y], b: {exists: true}}, kind: comment}
      - {when: {a: {starts: pre}}, kind: mention}
      - {when: {a: {contains: mid}}, kind: quote}
      - {when: {tags: {contains: [red, blue]}}, kind: reply}
      - {when: {a: {not: [k, l]}, c: {same_as: d}}, kind: post}
      - {when: [{a: null, n: 5}, {a: true}], kind: status, direction: outbound, visibility: null, set: {text: null}}
      - {when: {who: {is: brand}}, kind: message, direction: outbound}
    unknown: type
"""


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"a": "x", "b": 0}, "comment"), ({"a": "y", "b": False}, "comment"), ({"a": "x"}, "unknown"),
        ({"a": "prefix"}, "mention"), ({"a": "a mid b"}, "quote"), ({"a": "k", "tags": ["blue"]}, "reply"),
        ({"a": "m", "c": 1, "d": "1"}, "post"), ({"a": "k", "c": 1, "d": 1}, "unknown"), ({"a": "m"}, "unknown"),
        ({"n": "5"}, "status"), ({"a": True}, "status"), ({"a": "k", "who": "OURS"}, "message"),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_says_what_it_is(body: Any, kind: str) -> None:
    assert only(RULES, body, account_ids=["ours", "other"]).kind == kind


def test_a_rule_overrides_its_group() -> None:
    event = only(RULES, {"a": True, "id": 4})
    assert (event.direction, event.visibility, event.text, event.item_id) == ("outbound", None, None, "4")


def test_an_unknown_item_keeps_what_can_be_read_and_its_type() -> None:
    event = only(RULES, {"id": 9, "type": "brand new"})
    assert (event.kind, event.item_id, event.extra["type"]) == ("unknown", "9", "brand new")


def test_an_unknown_item_s_type_is_short_and_plain() -> None:
    assert len(only(RULES, {"type": "x" * 999}).extra["type"]) == 100
    assert only(RULES, {"type": {"deep": 1}}).extra == {}


def test_an_unknown_item_survives_fields_that_cannot_be_read() -> None:
    assert only(RULES, {"id": [1], "type": "brand new"}).kind == "unknown"


AUTHOR = """
  - each: '@'
    set: {author.external_id: by, account_id: account, customer_id: to}
    rules: [{kind: message}]
"""


@pytest.mark.parametrize(
    ("body", "account_ids", "direction", "customer"),
    [
        ({"by": "7", "account": "1", "to": "1"}, [], "inbound", "7"),
        ({"by": "1", "account": 1, "to": "7"}, [], "outbound", "7"),
        ({"by": "Help@X.example", "to": "m@x.example"}, ["help@x.example", "y"], "outbound", "m@x.example"),
        ({"by": "1", "account": "1", "to": "1"}, [], "outbound", None),
        ({"account": "1", "to": "7"}, [], "inbound", "7"),
    ],
)
def test_the_brand_s_own_words_are_outbound(body: Any, account_ids: list[str], direction: str, customer: str) -> None:
    event = only(AUTHOR, body, account_ids=account_ids)
    assert (event.direction, event.customer_id) == (direction, customer)


def test_one_configured_account_stands_in_where_the_sender_names_none() -> None:
    assert only(AUTHOR, {"by": "7"}, account_ids=["ours"]).account_id == "ours"
    assert only(AUTHOR, {"by": "7"}, account_ids=["ours", "two"]).account_id is None


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("item_id", 1.5, "field_wrong"), ("item_id", True, "field_wrong"), ("item_id", {}, "field_wrong"),
        ("item_id", "x" * 513, "field_wrong"), ("text", ["a"], "field_wrong"), ("text", 1.5, "field_wrong"),
        ("author.external_id", [], "field_wrong"),
    ],
)  # fmt: skip
def test_a_wrong_type_in_an_id_or_a_text_is_a_failure(field: str, value: Any, code: str) -> None:
    result = run(f"  - each: '@'\n    set: {{{field}: v}}\n    rules: [{{kind: message}}]\n", {"v": value})
    assert [each.code for each in result.failures] == [code]
    assert f"`{field}`" in result.failures[0].reason


SOFT = """
  - each: '@'
    set:
      lang: v
      permalink: v
      author.handle: v
      author.followers: v
      author.verified: v
      author.profile_url: v
    rules: [{kind: message}]
"""


@pytest.mark.parametrize("value", [1.5, [], {}, -4, "javascript:alert(1)", 2**60, "\u202e\x07", ""])
def test_a_wrong_describing_value_is_left_out_and_loses_nothing(value: Any) -> None:
    author = only(SOFT, {"v": value}).author
    assert author.followers is None
    assert author.profile_url is None


def test_a_handle_is_cut_and_loses_its_direction_marks() -> None:
    handle = only(SOFT, {"v": "\u202emara\u2066" + "x" * 10_000}).author.handle
    assert handle is not None
    assert handle.startswith("maraxx")
    assert len(handle) == 500


def test_numbers_too_large_for_a_float_stay_exact() -> None:
    assert only(AUTHOR, {"by": 9007199254740993123}).author.external_id == "9007199254740993123"


def test_a_time_difference_is_a_duration() -> None:
    spec = "{seconds_between: [{path: a, time: iso}, {path: b, time: epoch_s}]}"
    items = f"  - each: '@'\n    set: {{extra.duration_s: {spec}}}\n    rules: [{{kind: call}}]\n"
    assert only(items, {"a": "2026-03-02T08:15:30Z", "b": 1772439455}).extra == {"duration_s": 125}
    assert only(items, {"a": "2026-03-02T08:15:30Z"}).extra == {}


def test_attachments_keep_their_kind_and_only_web_addresses() -> None:
    items = """
  - each: '@'
    set:
      attachments:
        - {each: media, kind: type, url: src}
        - {each: photo, kind: {value: image}, url: '@'}
    rules: [{kind: message}]
"""
    body = {
        "media": [{"type": "video", "src": "https://a.example/1"}, {"src": "file:///etc/passwd"}, None],
        "photo": "http://a.example/2",
    }
    found = [(each.kind, each.url) for each in only(items, body).attachments]
    assert found == [("video", "https://a.example/1"), ("file", None), ("image", "http://a.example/2")]
    assert len(only(items, {"media": [{"type": "x"}] * 500}).attachments) == 50


def test_a_network_may_come_from_the_payload_by_any_of_its_names() -> None:
    items = "  - each: '@'\n    network: {path: site}\n    rules: [{kind: message}]\n"
    assert only(items, {"site": "Twitter"}).network == "x"
    assert run(items, {"site": "Orkut"}).failures[0].code == "network_unknown"


def test_a_choice_that_gives_no_word_of_the_trade_is_a_failure() -> None:
    items = "  - each: '@'\n    visibility: {path: v}\n    rules: [{kind: message}]\n"
    assert run(items, {"v": "semi"}).failures[0].code == "value_unknown"


def test_a_path_that_meets_a_value_it_cannot_work_on_is_a_failure() -> None:
    items = "  - each: '@'\n    set: {text: \"join('-', v)\"}\n    rules: [{kind: message}]\n"
    assert run(items, {"v": 1}).failures[0].code == "value_unreadable"
    items = "  - each: '@'\n    rules: [{when: {\"join('-', v)\": x}, kind: message}]\n"
    assert run(items, {"v": 1}).failures[0].code == "condition_failed"


def test_an_item_without_any_id_carries_its_digest_whatever_the_order_of_its_keys() -> None:
    items = "  - each: '@'\n    set: {item_id: id}\n    rules: [{kind: reaction}]\n"
    first, second = (run(items, body).items[0].digest for body in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert first
    assert first == second
    assert run(items, {"id": 1}).items[0].digest is None


def test_an_edit_or_a_delete_without_an_item_is_a_failure() -> None:
    for kind in ("message_edit", "post_delete"):
        result = run(f"  - each: '@'\n    rules: [{{kind: {kind}}}]\n", {"a": 1})
        assert result.failures[0].code == "field_missing"


def test_a_batch_reads_the_list_that_its_items_look_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    items = (
        "  - each: list[]\n    set:\n      text: {lookup: {in: ^users, by: id, unwrap: data}, take: name}\n"
        "    rules: [{kind: message}]\n"
    )
    users = [{"data": {"id": number % 30, "name": f"name {number}"}} for number in range(40)]
    unwrapped = Mock(wraps=specs._unwrapped)
    monkeypatch.setattr(specs, "_unwrapped", unwrapped)
    result = run(items, {"users": users, "list": [{"id": number} for number in range(40)]})
    assert [event.text for event in result.events] == [*(f"name {number}" for number in range(30)), *[None] * 10]
    assert unwrapped.call_count == len(users)


@pytest.mark.parametrize(
    ("each", "body"),
    [
        ("e[]", {"e": [{}] * 10_001}),
        ("e[].f[]", {"e": [{}] * 10_001}),
        ("e[].f[]", {"e": [{"f": []}] * 10_001}),
        ("e[].f[].g[]", {"e": [{"f": [{}] * 5_000}] * 50}),
        ("e[].f[]", {"e": [{"f": [{}] * 5_001}] * 2}),
    ],
)
def test_too_many_items_are_one_failure(each: str, body: Any) -> None:
    """Also where nothing stands in them: a body of two million empty lists is not gone through."""
    result = run(f"  - each: {each}\n    rules: [{{kind: message}}]\n", body)
    assert [(failure.path, failure.code) for failure in result.failures] == [("$", "too_many_items")]
    assert len(result.items) == 1


@pytest.mark.parametrize("broken", [{"e": ["x"]}, {"e": [{"f": "x"}]}, {"e": [{"f": {"ids": "x"}}]}, {"e": "x"}])
def test_what_stands_where_a_list_of_plain_values_is_due_is_no_item_of_it(broken: Any) -> None:
    items = (
        "  - each: e[].f.ids[]\n    wrap: id\n    set: {item_id: id, scope: '^e[].name', thread_id: '^e[].f.ids[]'}\n"
        "    rules: [{kind: message}]\n"
    )
    result = run(items, broken)
    assert [failure.code for failure in result.failures] == ["item_malformed"]
    assert result.events == []


KEYS = st.sampled_from([
    "data", "event_type", "payload", "id", "entry", "messaging", "changes", "value", "message", "sender", "events",
    "type",
    "text", "from", "timestamp", "user", "update_id", "post", "event", "field", "messages", "contacts", "created_at",
])  # fmt: skip
PATHS = ["a", "a.b", "a[0]", "a[0].b", "a.b[1].c", "a || b", "a.b || b[0] || c", "a[2] || c.a", "c"]
SMALL = st.recursive(
    st.sampled_from([None, False, True, 0, 1, 0.0, "", "x"]),
    lambda each: st.one_of(st.lists(each, max_size=3), st.dictionaries(st.sampled_from("abc"), each, max_size=3)),
    max_leaves=10,
)


@given(path=st.sampled_from(PATHS), value=SMALL)
def test_the_short_cut_for_plain_paths_finds_what_jmespath_finds(path: str, value: Any) -> None:
    assert repr(compile_expression(path)(value)) == repr(jmespath.search(path, value))


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda each: st.one_of(st.lists(each, max_size=3), st.dictionaries(KEYS, each, max_size=5)),
    max_leaves=12,
)


MUTANTS = [None, True, 0, 1.5, 2**80, "", "\ud800", "9" * 600, [], {}, [None], {"a": None}, "1772440000123"]
BATCHES = {
    "messenger": ("message__new.json", ("entry", 0, "messaging")),
    "line": ("message__new.json", ("events",)),
    "x": ("aaa_tweet_create__batch_with_bad_item.json", ("tweet_create_events",)),
    "trustpilot": ("service_review_created__new.json", ("events",)),
    "whatsapp": ("message_text__new.json", ("entry", 0, "changes", 0, "value", "messages")),
}


def spoilt(item: Any, data: st.DataObject) -> Any:
    """The item with one value in it, at any depth, replaced by junk."""
    if not isinstance(item, dict) or not item or data.draw(st.integers(0, 3)) == 0:
        return data.draw(st.sampled_from(MUTANTS))
    key = data.draw(st.sampled_from(sorted(item)))
    return item | {key: spoilt(item[key], data)}


@given(name=st.sampled_from(sorted(BATCHES)), data=st.data())
def test_a_bad_item_never_costs_its_neighbours(name: str, data: st.DataObject) -> None:
    file, place = BATCHES[name]
    body = json.loads((ROOT / "tests" / "fixtures" / name / file).read_text("utf-8"))
    alone = SHIPPED[name].normalise(json.dumps(body).encode()).items[0]
    outer: Any = body
    for step in place[:-1]:
        outer = outer[step]
    good = outer[place[-1]][0]
    outer[place[-1]] = [good, spoilt(good, data), good]
    result = SHIPPED[name].normalise(json.dumps(body).encode())
    assert len(result.items) == 3
    assert [each.event for each in (result.items[0], result.items[2])] == [alone.event] * 2


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(name for name, each in SHIPPED.items() if each.body_format == "json")), body=JSON)
def test_no_json_ends_in_anything_but_events_and_failures(name: str, body: Any) -> None:
    result = SHIPPED[name].normalise(json.dumps(body).encode(), {}, "application/json", ["brand"])
    for event in result.events:
        assert json.dumps(event.as_dict(), ensure_ascii=False).encode("utf-8")
        assert event.network in CHANNELS.networks
    assert all(each.path.startswith("$") and each.code and each.cure for each in result.failures)

"""A wrong mapping file says everything that is wrong with it at once: file, line, path and cure."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MappingInvalid, Problem
from connector.mapping.channels import load_channels
from connector.mapping.lint import check_mappings
from connector.mapping.loader import load_mappings, parse_mapping
from connector.mapping.tryout import content_type_of, try_payload
from tests.corpus import ROOT

MAPPINGS = ROOT / "mappings"
CHANNELS = load_channels(MAPPINGS / "channels.yml")
GOOD = """source: sample
version: 1
network: community
verification: url_token
items:
  - each: events[]
    set:
      item_id: id
    rules:
      - kind: message
"""


def problems(text: str) -> list[Problem]:
    with pytest.raises(MappingInvalid) as raised:
        parse_mapping("sample", text.encode(), CHANNELS)
    return list(raised.value.problems)


def with_rule(key: str) -> str:
    return swapped("kind: message", f"kind: message\n        {key}")


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "where", "what", "cure"),
    [
        (swapped("version: 1", "versoin: 1"), "sample.yml:2 versoin", "unknown", "`version`"),
        (swapped("version: 1", "version: 0"), "sample.yml:2 version", "starts at 1", "Raise"),
        (with_rule("when: []"), "sample.yml:11 items[0].rules[0].when", "condition is needed", "{path: expected}"),
        (with_rule("when: {a: []}"), "sample.yml:11 items[0].rules[0].when.a", "never holds", "Name the values"),
        (with_rule("when: {a: [x, {b: c}]}"), "sample.yml:11 items[0].rules[0].when.a[1]", "plain value", "exists"),
        (with_rule("when: {a: {not: [[x]]}}"), "sample.yml:11 items[0].rules[0].when.a.not[0]", "plain value", ""),
        (GOOD + "      - kind: post\n", "sample.yml:11 items[0].rules[1]", "never reached", "to the end"),
        (swapped("item_id: id", "item_id: {path: id, time: iso}"), "sample.yml:8", "takes no time", "Remove `time:`"),
        (swapped("item_id: id", "author.name: name"), "sample.yml:8", "no field", "`author.display_name`"),
        (swapped("item_id: id", "timestamp: at"), "sample.yml:8", "no field", "`occurred_at`"),
        (swapped("version: 1", 'version: "1"'), "sample.yml:2 version", "whole number", "without quotes"),
        (swapped("version: 1", "version: 1\nlanguage: 2"), "sample.yml:3 language", "Language 2", "language: 1"),
        (swapped("source: sample", "source: other"), "sample.yml:1 source", "file's name", "equal"),
        (swapped("network: community", "network: comunity"), "sample.yml:3 network", "unknown", "`community`"),
        (swapped("url_token", "hootsuite"), "sample.yml:4 verification", "not publish", "relay"),
        (swapped("url_token", "url_tokn"), "sample.yml:4 verification", "no scheme", "`url_token`"),
        (swapped("url_token", "url_token\nhandshake: metta"), "sample.yml:5 handshake", "no handshake", "`meta`"),
        (swapped("url_token", "url_token\nbody: yaml"), "sample.yml:5 body", "not allowed", "json"),
        (swapped("items:", "itmes:"), "sample.yml:1", "`items` is missing", "Add"),
        (swapped("each: events[]", "each: events[0]"), "sample.yml:6 items[0].each", "no walk", "entry[]"),
        (swapped("item_id: id", "item_ids: id"), "sample.yml:8 items[0].set.item_ids", "no field", "`item_id`"),
        (swapped("item_id: id", "item_id: 'id['"), "sample.yml:8 items[0].set.item_id", "not JMESPath", "quotes"),
        (swapped("item_id: id", "item_id: to_string(id)"), "sample.yml:8", "word null", "Leave it out"),
        (swapped("item_id: id", "item_id: 'a || b | [0]'"), "sample.yml:8", "in one path", "first"),
        (swapped("item_id: id", "item_id: sprintf(id)"), "sample.yml:8", "no function", "Use one of"),
        (swapped("item_id: id", f"item_id: {'a.' * 200}a[0]"), "sample.yml:8", "longer than", "let"),
        (swapped("item_id: id", "item_id: '[[[[a,b],c],d],e]'"), "sample.yml:8", "multi-selects", "let"),
        (swapped("item_id: id", "item_id: $who.id"), "sample.yml:8", "names no value", "under `let`"),
        (swapped("item_id: id", "item_id: [id]"), "sample.yml:8", "path or a mapping", "value"),
        (swapped("item_id: id", "item_id: {path: id, value: 1}"), "sample.yml:8", "Exactly one of", "Keep one"),
        (swapped("item_id: id", "item_id: {path: id, with: x}"), "sample.yml:8", "goes with `join`", "Remove"),
        (swapped("item_id: id", "item_id: {path: id, then: [uper]}"), "sample.yml:8", "no transform", "`upper`"),
        (swapped("item_id: id", "item_id: {path: id, then: [{uper: x}]}"), "sample.yml:8", "no transform", "Use"),
        (swapped("item_id: id", "item_id: {path: id, then: [after]}"), "sample.yml:8", "needs a text", "{after: …}"),
        (swapped("item_id: id", "item_id: {header: x-id}"), "sample.yml:8", "not kept", "`headers`"),
        (swapped("item_id: id", "item_id: {join: id}"), "sample.yml:8", "A list", "first, second"),
        (swapped("item_id: id", "item_id: {choose: id}"), "sample.yml:8", "needs a table", "from"),
        (swapped("item_id: id", "item_id: {lookup: {in: users}}"), "sample.yml:8", "`by` is missing", "Add"),
        (swapped("item_id: id", "item_id: {seconds_between: [a]}"), "sample.yml:8", "two times", "start, end"),
        (swapped("item_id: id", "extra.Bad-Name: id"), "sample.yml:8", "no name", "small letters"),
        (swapped("item_id: id", "occurred_at: at"), "sample.yml:8", "no format", "time: iso"),
        (swapped("item_id: id", "occurred_at: {path: at, time: is}"), "sample.yml:8", "not allowed", "`iso`"),
        (swapped("item_id: id", "occurred_at: 2026-03-02"), "sample.yml:8", "Dates", "quotes"),
        (swapped("item_id: id", "attachments: {kind: x}"), "sample.yml:8", "`each` is missing", "Add"),
        (swapped("kind: message", "kind: mesage"), "sample.yml:10 items[0].rules[0].kind", "not allowed", "`message`"),
        (swapped("kind: message", "kind: ignore"), "sample.yml:10 items[0].rules[0]", "needs a reason", "why"),
        (with_rule("direction: inbond"), "sample.yml:11", "not allowed", "`inbound`"),
        (
            with_rule("visibility: {choose: v, from: {a: pubic}}"),
            "sample.yml:11", "not allowed", "`public`",
        ),
        (with_rule("require: [itm_id]"), "sample.yml:11", "no field", "`item_id`"),
        (with_rule("when: {a: {exist: true}}"), "sample.yml:11", "unknown", "`exists`"),
        (with_rule("when: {a: {}}"), "sample.yml:11", "Exactly one test", "exists"),
        (with_rule("when: {a: {exists: sure}}"), "sample.yml:11", "true or false", ""),
        (with_rule("when: [x]"), "sample.yml:11", "condition is needed", "path"),
        (with_rule("when: {'a[': x}"), "sample.yml:11", "not JMESPath", ""),
        (swapped("    rules:\n      - kind: message\n", "    rules: []\n"), "sample.yml:9", "one rule", "kind"),
        (swapped("item_id: id", "item_id: id\n      item_id: id2"), "sample.yml:9", "twice", "Keep one"),
        (swapped("item_id: id", "item_id: &x id"), "sample.yml:1", "anchors", "Repeat"),
        ("items: [", "sample.yml:", "not YAML", "Check indentation"),
        ("[" * 100_000, "sample.yml:1", "nested deeper", "flatter"),
        ("", "sample.yml:1", "empty", "adding-a-source"),
        ("just text", "sample.yml:1", "mapping (key: value)", "Write one"),
        ("? [a]: b\n", "sample.yml", "", ""),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_its_cure(text: str, where: str, what: str, cure: str) -> None:
    found = problems(text)
    assert any(each.where.startswith(where) and what in each.what and cure in each.cure for each in found), found


def test_all_faults_are_told_at_once() -> None:
    text = (
        GOOD.replace("network: community", "network: nowhere")
        .replace("item_id: id", "item_ids: id")
        .replace("kind: message", "kind: mesage")
    )
    assert len(problems(text)) == 3


def test_the_same_fault_is_told_once_however_many_rules_share_it() -> None:
    more = "".join(f"      - {{kind: {kind}, when: {{type: {kind}}}}}\n" for kind in ("post", "comment"))
    text = with_rule("when: {type: message}").replace("item_id: id", "item_ids: id") + more
    assert len(problems(text)) == 1


def folder(tmp_path: Path, **files: str) -> Path:
    copytree(MAPPINGS, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "sources").iterdir():
        path.unlink()
    for name, text in files.items():
        (tmp_path / "sources" / f"{name}.yml").write_text(text, "utf-8")
    return tmp_path


def test_the_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    bad = GOOD.replace("kind: message", "kind: mesage")
    home = folder(tmp_path, sample=GOOD, one=bad.replace("sample", "one"), two=bad.replace("sample", "two"))
    with pytest.raises(MappingInvalid) as raised:
        load_mappings(home)
    assert {each.where.partition(":")[0] for each in raised.value.problems} == {"one.yml", "two.yml"}
    assert check_mappings([home]) == list(raised.value.problems)
    assert check_mappings([home / "sources" / "one.yml"]) == list(raised.value.problems)[:1]


def test_a_folder_that_lacks_a_table_is_told_where_to_get_it(tmp_path: Path) -> None:
    home = folder(tmp_path, sample=GOOD)
    (home / "purposes.yml").unlink()
    assert any("copy the shipped one" in each.cure for each in check_mappings([home]) if "purposes.yml" in each.where)


def test_files_elsewhere_are_checked_with_the_shipped_register(tmp_path: Path) -> None:
    path = tmp_path / "sample.yml"
    path.write_text(GOOD, "utf-8")
    assert check_mappings([path], MAPPINGS) == []
    (problem,) = check_mappings([path])
    assert "channels.yml" in problem.where


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("channels.yml", "networks:", "netwroks:", "channels.yml:9 netwroks: The key `netwroks` is unknown."),
        ("channels.yml", "reopen_days: 7", "reopen_days: soon", "channels.yml:"),
        ("purposes.yml", "policy: ask", "policy: none", "purposes.yml:"),
        ("notices/phone.yml", "id: phone", "id: phnoe", "notices/phone.yml:"),
        ("crm/salesforce.yml", "objects:", "objekts:", "salesforce.yml:"),
    ],
)
def test_every_mapping_file_is_checked_as_what_it_is(tmp_path: Path, name: str, old: str, new: str, told: str) -> None:
    """Alone, with its folder, and with the whole of them."""
    home = folder(tmp_path, sample=GOOD)
    path = home / name
    assert check_mappings([path]) == []
    text = path.read_text("utf-8")
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert text != path.read_text("utf-8")
    for place in (path, home):
        found = [str(each) for each in check_mappings([place])]
        assert any(each.startswith(told) for each in found), found
        assert not any("`verification`" in each for each in found), found


@pytest.mark.parametrize("name", ["channels.yml", "purposes.yml", "crm/salesforce.yml"])
def test_a_whole_folder_without_one_of_its_files_says_so(tmp_path: Path, name: str) -> None:
    home = folder(tmp_path, sample=GOOD)
    (home / name).unlink()
    assert any(f"{Path(name).name}:1" in each.where for each in check_mappings([home]))


def test_a_file_with_a_register_of_its_own_is_checked_against_that(tmp_path: Path) -> None:
    """Not against the shipped one, which may lack the network."""
    home = folder(tmp_path, sample=GOOD.replace("network: community", "network: pigeon_post"))
    register = home / "channels.yml"
    register.write_text(register.read_text("utf-8").replace("\n  community:", "\n  pigeon_post:", 1), "utf-8")
    assert check_mappings([home / "sources" / "sample.yml"], MAPPINGS) == []


def test_a_missing_file_and_a_huge_one_are_problems(tmp_path: Path) -> None:
    (tmp_path / "huge.yml").write_text("#" * 300_000, "utf-8")
    found = check_mappings([tmp_path / "gone.yml", tmp_path / "huge.yml"], MAPPINGS)
    assert ["cannot be read" in found[0].what, "256 KiB" in found[1].what] == [True, True]


def test_the_shipped_mappings_are_fine() -> None:
    assert check_mappings([ROOT / "mappings"]) == []


def test_a_payload_is_tried_by_hand() -> None:
    mapping = parse_mapping("sample", GOOD.encode(), CHANNELS)
    tried = try_payload(mapping, b'{"events":[{"id":1},{"id":[]}]}', {"Content-Type": "application/json"})
    assert [event["item_id"] for event in tried.events] == ["1"]
    assert [failure.path for failure in tried.failures] == ["$.events[1]"]
    assert try_payload(mapping, b"{}", {"Content-Type": "text/xml"}).failures[0].code == "payload_unreadable"
    assert [content_type_of(Path(name)) for name in ("a.form", "a.json", "a.bin")] == [
        "application/x-www-form-urlencoded",
        "application/json",
        "",
    ]


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: (GOOD + text).encode())))
def test_no_text_ends_in_anything_but_a_mapping_or_problems(text: bytes) -> None:
    try:
        mapping = parse_mapping("sample", text, CHANNELS)
    except MappingInvalid as error:
        found = error.problems
    else:
        found = ()
        assert mapping.name == "sample"
    assert all(each.where.startswith("sample.yml:") for each in found)


def test_a_mapping_takes_the_groups_of_others_along(tmp_path: Path) -> None:
    other = GOOD.replace("sample", "other").replace("community", "x").replace("events[]", "posts[]")
    home = folder(tmp_path, sample=swapped("url_token", "url_token\nalso: other"), other=other)
    tried = try_payload(load_mappings(home)["sample"], b'{"events": [{"id": 1}], "posts": [{"id": 2}], "more": 3}')
    assert [(each["network"], each["item_id"]) for each in tried.events] == [("community", "1"), ("x", "2")]


@pytest.mark.parametrize(
    ("named", "other", "told"),
    [
        ("nobody", "", "no mapping `nobody`"),
        ("other", "version: 0\n", "`other` has problems of its own"),
        ("other", "version: 1\nbody: form\n", "another format of body"),
        ("other", "version: 1\nalso: sample\n", "`other` has problems of its own"),
        ("sample", "", "`sample` has problems of its own"),
    ],
)
def test_a_mapping_that_cannot_be_taken_along_is_told(tmp_path: Path, named: str, other: str, told: str) -> None:
    text = GOOD.replace("sample", "other").replace("version: 1\n", other or "version: 1\n")
    home = folder(tmp_path, sample=swapped("url_token", f"url_token\nalso: {named}"), other=text)
    problem, *_ = check_mappings([home / "sources" / "sample.yml"])
    assert (problem.where, problem.cure[-1]) == ("sample.yml:5 also", ".")
    assert told in problem.what

"""Handshakes: the provider's challenge is answered in its own form, and a wrong token is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import HandshakeRefused
from connector.mapping.handshakes import (
    GET_HANDSHAKES,
    POST_HANDSHAKES,
    Expected,
    answer_handshake,
    answer_posted,
    deletion_answer,
    handshake_problem,
)
from tests.corpus import corpus_json, needs_corpus

OURS = Expected(secrets=["test-secret-not-real"], verify_token="our-token", topics=["https://feeds.example/c1"])
META = [("hub.mode", "subscribe"), ("hub.verify_token", "our-token"), ("hub.challenge", "1158201444")]
TOPIC = Expected(topics=["https://feeds.example/c1"])
WEBSUB = [("hub.mode", "subscribe"), ("hub.topic", TOPIC.topics[0]), ("hub.challenge", "abc")]


def test_x_is_answered_with_the_mac_of_its_token_as_json() -> None:
    answer = answer_handshake("x_crc", [("crc_token", "challenge_string")], OURS)
    assert answer.content_type == "application/json"
    assert json.loads(answer.body) == {"response_token": "sha256=oaGJNkrZGDxTEcjlJj67s6ci3tsyEp5CzIxHKO2QLz8="}


def test_linkedin_is_answered_with_the_code_and_its_mac() -> None:
    answer = answer_handshake("linkedin", [("challengeCode", "890e4665-4dfe-4ab1-b689-ed553bceeed0")], OURS)
    assert (
        json.loads(answer.body)["challengeResponse"]
        == "9e5557d8b73aadd60e87e40d57e1f6ba979664860731c103206c28b8cc2900d8"
    )


@needs_corpus
def test_the_published_challenges_come_out_as_stated() -> None:
    found = 0
    for vector in corpus_json("vectors.json"):
        if vector["scheme"] == "x-crc":
            body = answer_handshake("x_crc", [("crc_token", vector["crc_token"])], OURS).body
        elif vector["scheme"] == "linkedin-challenge":
            body = answer_handshake("linkedin", [("challengeCode", vector["challengeCode"])], OURS).body
        else:
            continue
        found += 1
        assert vector["expected"] in body.decode()
    assert found == 2


def test_meta_gets_its_challenge_back_as_plain_text() -> None:
    answer = answer_handshake("meta", META, OURS)
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.content_type.startswith("text/plain")


def test_a_hub_gets_its_challenge_back_for_a_topic_we_asked_for() -> None:
    assert answer_handshake("websub", WEBSUB, TOPIC).body == b"abc"
    assert answer_handshake("websub", [*WEBSUB, ("hub.verify_token", "our-token")], OURS).body == b"abc"


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("meta", [("hub.mode", "subscribe"), ("hub.verify_token", "wrong"), ("hub.challenge", "1")]),
        ("meta", [("hub.mode", "unsubscribe"), *META[1:]]),
        ("meta", META[:2]),
        ("meta", [*META, ("hub.challenge", "2")]),
        ("meta", [*META[:2], ("hub.challenge", "<script>alert(1)</script> x")]),
        ("meta", [*META[:2], ("hub.challenge", "é")]),
        ("meta", []),
        ("websub", [WEBSUB[0], ("hub.topic", "https://feeds.example/other"), WEBSUB[2]]),
        ("websub", [("hub.mode", "denied"), *WEBSUB[1:]]),
        ("websub", WEBSUB),
        ("x_crc", []),
        ("x_crc", [("crc_token", "")]),
        ("linkedin", [("challengeCode", "x" * 2000)]),
        ("no_such", META),
        ("zoom", META),
    ],
)
def test_any_other_challenge_is_refused(name: str, query: list[tuple[str, str]]) -> None:
    with pytest.raises(HandshakeRefused):
        answer_handshake(name, query, OURS)


@pytest.mark.parametrize("name", sorted(GET_HANDSHAKES))
def test_a_source_without_its_setting_answers_nobody(name: str) -> None:
    query = [*META, ("crc_token", "t"), ("challengeCode", "c"), ("hub.topic", "https://feeds.example/c1")]
    with pytest.raises(HandshakeRefused):
        answer_handshake(name, query, Expected())


def test_zoom_and_slack_are_answered_inside_their_signed_post() -> None:
    zoom = answer_posted("zoom", b'{"event":"endpoint.url_validation","payload":{"plainToken":"q7"}}', OURS)
    assert zoom is not None
    assert json.loads(zoom.body)["plainToken"] == "q7"
    slack = answer_posted("slack", b'{"type":"url_verification","challenge":"c9"}', OURS)
    assert slack is not None
    assert json.loads(slack.body) == {"challenge": "c9"}


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"event":"meeting.ended"}', b'{"type":"event"}', b"[" * 99_999]
)
@pytest.mark.parametrize("name", [*POST_HANDSHAKES, "meta"])
def test_an_ordinary_delivery_is_no_challenge(name: str, body: bytes) -> None:
    assert answer_posted(name, body, OURS) is None


def test_meta_is_told_where_a_deletion_stands() -> None:
    answer = deletion_answer("https://connector.example/privacy/deletions/k3", "k3")
    assert json.loads(answer.body) == {
        "url": "https://connector.example/privacy/deletions/k3",
        "confirmation_code": "k3",
    }


def test_a_mapping_may_name_only_handshakes_that_exist() -> None:
    assert handshake_problem("meta") is None
    assert handshake_problem("slack") is None
    problem = handshake_problem("metta")
    assert problem is not None
    assert "meta" in problem.cure


KEYS = st.sampled_from(["hub.mode", "hub.verify_token", "hub.challenge", "hub.topic", "crc_token", "challengeCode"])


@given(name=st.sampled_from(sorted(GET_HANDSHAKES)), query=st.lists(st.tuples(KEYS, st.text(max_size=30)), max_size=6))
def test_whatever_is_reflected_is_never_html(name: str, query: list[tuple[str, str]]) -> None:
    answer: Any = None
    try:
        answer = answer_handshake(name, query, OURS)
    except HandshakeRefused:
        return
    assert answer.content_type.startswith(("application/json", "text/plain"))

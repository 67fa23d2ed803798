"""Whose words an item holds: never another person's, whatever ids two senders or two people come up with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility
from connector.domain.events import Author
from connector.errors import AuthorDiffers
from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.flows.shelves import list_items, retry_all
from connector.store.inbox import GroupCommit, NewDelivery
from connector.store.tables import cases, interactions, shelf, social_profiles
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.ingesting import (
    BRAND,
    answered,
    apply,
    deleted,
    edited,
    fixtures,
    make_context,
    rows,
    said,
    social_case,
)

MAIL: dict[str, Any] = {
    "kind": Kind.EMAIL, "network": "email", "visibility": Visibility.PRIVATE, "thread_id": None,
    "extra": {"message_id": "<m1@mail.example>"},
}  # fmt: skip


@pytest.fixture
def ctx(store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source."""
    return make_context(store, clock)


def post(ctx: Context, *items: Any) -> None:
    """A delivery of generic social cases, worked on."""
    commit = GroupCommit(ctx.store)
    body = json.dumps(items).encode()
    commit.accept(NewDelivery("social_case", str(hash(body)), 1, body, "application/json"))
    commit.close()
    ingest_once(ctx)


def texts(store: Store) -> dict[str, str | None]:
    """What each item says."""
    return {each["item_id"]: each["text"] for each in rows(store, interactions)}


def test_an_item_that_another_wrote_is_left_alone_and_the_second_telling_is_shelved(ctx: Context) -> None:
    """The rest of its delivery is through, and a replay ends alike."""
    post(ctx, social_case(1, by="ada"))
    post(ctx, social_case(1, by="bo", id="m-1-ada", text="I am Ada"), social_case(2, by="bo"))
    assert texts(ctx.store) == {"m-1-ada": "Words 1", "m-2-bo": "Words 2"}
    [item] = list_items(ctx)
    assert (item.item_path, item.reason) == ("$[0]", "author_differs")
    assert "somebody else's" in item.detail
    assert "scope" in item.cure
    assert retry_all(ctx, "ann", reason="author_differs") == 1
    ingest_once(ctx)
    assert [each.reason for each in list_items(ctx)] == ["author_differs"]
    assert texts(ctx.store) == {"m-1-ada": "Words 1", "m-2-bo": "Words 2"}


def test_two_authors_of_one_item_in_one_delivery_are_told_apart_too(ctx: Context) -> None:
    post(ctx, social_case(1, by="ada"), social_case(1, by="bo", id="m-1-ada", text="I am Ada"))
    assert texts(ctx.store) == {"m-1-ada": "Words 1"}
    assert [each["handle"] for each in rows(ctx.store, social_profiles)] == ["ada-handle"]
    assert len(rows(ctx.store, shelf)) == 1


@pytest.mark.parametrize(
    "telling",
    [
        said("1", 0, "Mine", by="bo"),
        said("1", 0, "Mine", by="bo", kind=Kind.REPLY, version="9"),
        answered("1", 0),
    ],
    ids=["another customer", "as another kind", "the brand"],
)
def test_words_that_are_known_as_a_customers_are_nobody_elses(store: Store, telling: Any) -> None:
    apply(store, said("1", 0, "First", by="ada"))
    with pytest.raises(AuthorDiffers):
        apply(store, telling)
    assert texts(store) == {"1": "First"}


def test_the_same_id_in_another_scope_is_another_item(store: Store) -> None:
    apply(store, said("1", 0, "First", by="ada", scope="forum-a"), said("1", 0, "Second", by="bo", scope="forum-b"))
    assert {each["text"] for each in rows(store, interactions)} == {"First", "Second"}


@pytest.mark.parametrize(
    "change",
    [
        edited("1", 5, "Redacted", by="moderator"),
        edited("1", 5, "Redacted", direction=Direction.OUTBOUND, author=Author(external_id=BRAND), customer_id=None),
        edited("1", 5, "Redacted", author=Author(), customer_id=None),
    ],
    ids=["a moderator", "the page's admin", "nobody named"],
)
def test_an_edit_may_come_from_whoever_may_edit_there(store: Store, change: Any) -> None:
    apply(store, said("1", 0, "First", by="ada"), change)
    item = rows(store, interactions)[0]
    assert (item["text"], item["customer_id"]) == ("Redacted", "ada")
    assert len(rows(store, social_profiles)) == 1


@pytest.mark.parametrize("by", [None, "moderator", BRAND])
def test_a_deletion_needs_no_author_and_may_have_another(store: Store, by: str | None) -> None:
    apply(store, said("1", 0, "First", by="ada"), deleted("1", 5, author=Author(external_id=by), customer_id=by))
    assert [(each["state"], each["text"]) for each in rows(store, interactions)] == [("deleted", None)]


def test_the_brands_words_may_be_told_with_another_colleague(store: Store) -> None:
    apply(
        store, said("1", 0), answered("2", 1), answered("2", 1, author=Author(external_id="colleague-2"), version="2")
    )
    assert len(rows(store, interactions)) == 2


def test_what_was_told_as_the_brand_s_own_customer_is_taken_back_as_the_brands(store: Store) -> None:
    """A source that was set up without the brand's account id tells of the brand as of a customer."""
    apply(store, said("1", 0, "We are open", by=BRAND))
    apply(store, answered("1", 0))
    assert len(rows(store, interactions)) == 1


def test_a_mail_under_another_senders_message_id_is_another_mail(store: Store) -> None:
    """The Message-ID is whatever its sender wrote there."""
    apply(store, said("pm-1", 0, "My order", by="ada@example.com", **MAIL))
    apply(store, said("pm-2", 1, "Another's", by="bo@example.com", **MAIL))
    apply(store, said("pm-3", 2, "My order", by="ADA@example.com", **MAIL))
    assert texts(store) == {"pm-1": "My order", "pm-2": "Another's"}
    assert len(rows(store, cases)) == 2


def test_a_mail_that_answers_under_the_id_of_the_brands_own_is_another_mail(store: Store) -> None:
    sent = replace(answered("pm-1", 0, to="ada@example.com", **MAIL), author_role=AuthorRole.AGENT)
    apply(store, sent, said("pm-2", 1, "Hello?", by="ada@example.com", **MAIL))
    assert set(texts(store)) == {"pm-1", "pm-2"}


@pytest.mark.parametrize(("scope", "items"), [("second-bot", 2), ("", 1)])
def test_a_second_bot_has_ids_of_its_own_where_its_source_says_so(ctx: Context, scope: str, items: int) -> None:
    """A bot numbers the messages of each talk by itself, and tells nobody which bot it is."""
    second = replace(ctx.sources["telegram"], name="second", scope=scope)
    both = replace(ctx, sources={**ctx.sources, "second": second})
    [body] = [each for each in fixtures() if (each.source, each.name) == ("telegram", "message__new")]
    commit = GroupCommit(ctx.store)
    for source in ("telegram", "second"):
        commit.accept(NewDelivery(source, "k", 1, body.body, body.content_type))
    commit.close()
    ingest_once(both)
    assert len(rows(ctx.store, interactions)) == items
    assert {each["scope"] for each in rows(ctx.store, social_profiles)} == {"", scope}


def test_what_the_body_tells_stands_before_the_sources_own_scope(ctx: Context) -> None:
    named = replace(ctx, sources={"social_case": replace(ctx.sources["social_case"], scope="own")})
    case = social_case(1)
    case["data"]["scope"] = "told"
    post(named, case, social_case(2))
    assert {each["scope"] for each in rows(ctx.store, interactions)} == {"told", "own"}

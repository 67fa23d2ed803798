"""How many of those who write are customers: one setting moves every probability as Bayes says, and no order."""

import json
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from connector.commands.suggestions import suggest
from connector.domain.matching import Candidate, ProfileQuery, SuggestionEngine
from connector.domain.matching.scorecard import Scorecard, logit, probability
from connector.mapping.scorecard import load_scorecard
from tests.suggestion_base import index_over

ASKED = (
    ProfileQuery(network="x", handle="annikathorvaldsen"),
    ProfileQuery(network="x", handle="johnsmith77"),
    ProfileQuery(network="x", handle="bobkestrel", display_name="Bob Kestrel", location="Leeds"),
)


def asked(share: float | None) -> list[list[Candidate]]:
    with index_over() as index:
        engine = SuggestionEngine(index, load_scorecard(known_share=share))
        return [engine.suggest(each) for each in ASKED]


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=8), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_the_odds_of_each_against_nobody_move_by_the_ratio_of_the_prior_odds(
    odds: list[float], learnt: float, share: float
) -> None:
    card = Scorecard({}, learnt_share=learnt)
    before = [probability(each) for each in card.compete(odds)]
    after = [probability(each) for each in card.with_known_share(share).compete(odds)]
    ratio = share * (1 - learnt) / ((1 - share) * learnt)
    for was, now in zip(before, after, strict=True):
        assert now / (1 - sum(after)) == pytest.approx(ratio * was / (1 - sum(before)), rel=1e-3)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_reasons_name_the_share_and_still_add_up(share: float) -> None:
    shown = [each for found in asked(share) for each in found]
    assert shown
    for each in shown:
        (reason,) = [reason for reason in each.reasons if reason.kind == "known_share"]
        assert f"customers: {share * 100:.0f} of 100" in reason.detail
        assert reason.weight == pytest.approx(logit(share) - logit(load_scorecard().learnt_share))
        assert sum(one.weight for one in each.reasons) == pytest.approx(logit(each.score), abs=1e-6)


def test_more_customers_make_everybody_likelier_in_the_same_order() -> None:
    few, many = asked(0.2), asked(0.9)
    for some, others in zip(few, many, strict=True):
        assert [each.contact_id for each in some] == [each.contact_id for each in others][: len(some)]
        assert all(one.score < other.score for one, other in zip(some, others, strict=False))


def test_the_share_where_the_weights_were_learnt_changes_no_score_and_none_is_no_reason() -> None:
    unset, same = asked(None), asked(load_scorecard().learnt_share)
    assert [[each.score for each in found] for found in unset] == [
        pytest.approx([each.score for each in found]) for found in same
    ]
    assert not any(reason.kind == "known_share" for found in unset for each in found for reason in each.reasons)


def test_where_hardly_anybody_is_a_customer_a_faint_likeness_is_not_worth_a_look() -> None:
    faint = ProfileQuery(network="x", handle="kestrel_fan")
    with index_over() as index:
        assert SuggestionEngine(index, load_scorecard(known_share=0.95)).suggest(faint)
        assert SuggestionEngine(index, load_scorecard(known_share=0.01)).suggest(faint) == []


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    contacts, profiles = tmp_path / "contacts.csv", tmp_path / "profiles.jsonl"
    contacts.write_text("contact_id,first_name,last_name\nc1,Annika,Thorvaldsen\n", encoding="utf-8")
    profiles.write_text('{"profile_id":"p1","network":"x","handle":"annika_thor"}\n', encoding="utf-8")
    return {"--contacts": str(contacts), "--profiles": str(profiles), "--out": str(tmp_path / "out.jsonl")}


def scored(files: dict[str, str], *more: str) -> float:
    result = CliRunner().invoke(suggest, [word for pair in files.items() for word in pair] + list(more))
    assert result.exit_code == 0, result.output
    row = json.loads(Path(files["--out"]).read_text(encoding="utf-8"))
    return float(row["candidates"][0]["score"])


def test_the_command_takes_the_share_from_the_settings_or_as_told(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = scored(files)
    told = scored(files, "--known-share", "0.5")
    monkeypatch.setenv("CONNECTOR_SUGGESTIONS_KNOWN_SHARE", "0.5")
    assert scored(files) == told < plain
    assert scored(files, "--processes", "2") == told
    assert scored(files, "--known-share", "0.95") > plain


def test_the_share_is_exact_for_a_sure_pair() -> None:
    card = replace(Scorecard({}), strangers=0.0).with_known_share(0.5)
    assert card.compete([3.0]) == pytest.approx([3.0 + card.prior])
    assert exp(card.prior) == pytest.approx((1 - card.learnt_share) / card.learnt_share)

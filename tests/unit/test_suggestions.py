"""What an agent sees: the right people, reasons that add up, and nobody who must not be shown."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import log
from unicodedata import combining, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.matching import ContactFacts, ProfileQuery, Proof, SuggestionEngine
from connector.domain.matching.features import compare
from connector.domain.matching.keys import canonical, entry_of
from connector.domain.matching.view import view_of
from connector.mapping.scorecard import load_scorecard
from tests.suggestion_base import PEOPLE, engine_over, everything, index_over, person

HANDLES = ["annikathorvaldsen", "akestrel", "bobkestrel", "johnsmith77", "femke.berghe", "quintanilla", "zzxqv", ""]


@pytest.fixture(scope="module")
def engine() -> Iterator[SuggestionEngine]:
    with engine_over() as opened:
        yield opened


def _logit(score: float) -> float:
    return log(score / (1 - score))


@pytest.mark.parametrize("handle", HANDLES)
def test_reasons_add_up_to_the_logit_of_the_score(handle: str, engine: SuggestionEngine) -> None:
    for each in engine.suggest(ProfileQuery(network="x", handle=handle, display_name="John Smith", location="Leeds")):
        assert sum(reason.weight for reason in each.reasons) == pytest.approx(_logit(each.score), abs=1e-6)
        assert sum(reason.kind == "competition" for reason in each.reasons) == 1
        assert all(reason.detail for reason in each.reasons)


def test_namesakes_share_the_probability(engine: SuggestionEngine) -> None:
    found = engine.suggest(ProfileQuery(handle="johnsmith"), limit=10)
    assert [round(each.score, 6) for each in found] == [round(found[0].score, 6)] * 8
    assert sum(each.score for each in found) <= 1
    assert "other contacts fit" in found[0].reasons[-1].detail


def test_a_crowd_shares_the_probability_though_only_some_are_read() -> None:
    crowd = [person(f"m{number}", "Mary", "Marchbanks", city=f"Town {number}") for number in range(60)]
    with engine_over([*PEOPLE, *crowd]) as engine:
        found = engine.suggest(ProfileQuery(network="x", handle="marymarchbanks"), 10)
    assert len(found) == 10
    assert all(each.score <= 1 / 60 for each in found)


def test_namesakes_in_the_base_tell_of_others_outside_of_it() -> None:
    pair = [person("m1", "Mary", "Marchbanks", city="Leeds"), person("m2", "Mary", "Marchbanks", city="York")]
    asked = ProfileQuery(network="x", handle="marymarchbanks")
    with engine_over([*PEOPLE, pair[0]]) as alone, engine_over([*PEOPLE, *pair]) as both:
        (single,), shared = alone.suggest(asked), both.suggest(asked)
    assert sum(each.score for each in shared) < single.score


def test_nobody_is_said_honestly(engine: SuggestionEngine) -> None:
    for handle in ("xq7_zzkv", "", None, "39660997875", "UC" + "x" * 22):
        assert engine.suggest(ProfileQuery(network="youtube", handle=handle)) == []


def test_a_place_decides_between_namesakes(engine: SuggestionEngine) -> None:
    found = engine.suggest(ProfileQuery(handle="johnsmith", display_name="John Smith", location="Town 5, UK"))
    assert found[0].contact_id == "jo5"
    assert found[0].score > 2 * found[1].score


def test_a_middle_initial_that_is_shown_tells_namesakes_apart() -> None:
    people = [*PEOPLE, person("mk", "Mary K.", "Marchbanks"), person("mt", "Mary T.", "Marchbanks")]
    with engine_over(people) as engine:
        for initial, right in (("K", "mk"), ("T", "mt")):
            first = engine.suggest(ProfileQuery(handle="4711", display_name=f"Mary {initial}. Marchbanks"))[0]
            assert first.contact_id == right
            assert first.score > 0.5
            assert any("middle initial is the same" in reason.detail for reason in first.reasons)


def test_a_first_name_that_begins_alike_is_likelier_than_any_other() -> None:
    people = [*PEOPLE, person("san", "Sander", "Marchbanks"), person("zoe", "Zoe", "Marchbanks")]
    with engine_over(people) as engine:
        found = engine.suggest(ProfileQuery(handle="4711", display_name="Sandy Marchbanks"))
    assert found[0].contact_id == "san"
    assert any("begins alike" in reason.detail for reason in found[0].reasons)


def test_a_name_inside_of_a_longer_one_that_is_shown_counts_for_nobody() -> None:
    people = [*PEOPLE, person("san", "Sander", "Marchbanks"), person("and", "Andy", "Marchbanks")]
    with engine_over(people) as engine:
        found = engine.suggest(ProfileQuery(handle="the_sandymarchbanks", display_name="Sandy Marchbanks"))
    assert found[0].contact_id == "san"


@pytest.mark.parametrize("bio", ["Born in Florida", "5th-generation Floridian", "florida, mostly"])
def test_a_bio_that_names_a_place_or_its_people_tells_namesakes_apart(bio: str) -> None:
    people = [
        *PEOPLE,
        person("m1", "Mary", "Marchbanks", state="Ohio"),
        person("m2", "Mary", "Marchbanks", state="Florida"),
    ]
    with engine_over(people) as engine:
        found = engine.suggest(ProfileQuery(handle="4711", display_name="Mary Marchbanks", bio=bio))
    assert found[0].contact_id == "m2"
    assert found[0].score > found[1].score


def test_a_place_explains_itself_and_not_the_name_before_it() -> None:
    people = [*PEOPLE, person("plc", "Wanda", "Quorum", city="Tanglewood")]
    with engine_over(people) as opened:
        alone = opened.suggest(ProfileQuery(handle="wandafortanglewood"))[0]
        beside = opened.suggest(ProfileQuery(handle="wandadanielsonfortanglewood"))
    assert alone.contact_id == "plc"
    assert "letters_unexplained" not in {reason.kind for reason in alone.reasons}
    assert [each.contact_id for each in beside if each.score < alone.score] == ["plc"]
    assert "letters_unexplained" in {reason.kind for reason in beside[0].reasons}


def test_a_place_in_the_shown_name_counts_but_a_name_is_no_place() -> None:
    namesakes = [person("ny", "Wanda", "Quorum", state="NY"), person("de", "Wanda", "Quorum", state="DE")]
    with engine_over([*PEOPLE, *namesakes]) as opened:
        found = opened.suggest(ProfileQuery(handle="4711", display_name="Wanda Quorum | NY"))
        plain = opened.suggest(ProfileQuery(handle="4711", display_name="Wanda de Quorum"))
    assert found[0].contact_id == "ny"
    assert found[0].score > found[1].score
    assert plain[0].score == pytest.approx(plain[1].score)


@pytest.mark.parametrize(
    ("hint", "contact_id", "kind"),
    [
        ({"emails": ("Annika.T@fjord.example.no",)}, "ann", "email"),
        ({"phones": ("07700 900123",), "country": "United Kingdom"}, "bob1", "phone"),
        ({"phones": ("+5215512345678",)}, "gar", "phone"),
        ({"order_refs": ("a4711",)}, "hos", "order"),
        ({"bio": "write to annika.t@fjord.example.no"}, "ann", "email"),
        ({"proofs": (Proof("account_link", "van"),)}, "van", "proof"),
    ],
)
def test_what_the_customer_wrote_finds_the_contact(hint: dict[str, object], contact_id: str, kind: str) -> None:
    people = [replace(each, emails=("annika.t@fjord.no",)) if each.contact_id == "ann" else each for each in PEOPLE]
    hint = {name: _at_fjord(value) for name, value in hint.items()}
    with engine_over(people) as engine:
        found = engine.suggest(ProfileQuery(handle="night_owl_99", **hint))  # type: ignore[arg-type]
    assert found[0].contact_id == contact_id
    assert found[0].reasons[0].kind == kind


def _at_fjord(value: object) -> object:
    if isinstance(value, str):
        return value.replace("fjord.example.no", "fjord.no")
    return tuple(map(_at_fjord, value)) if isinstance(value, tuple) else value


def test_a_proof_outranks_every_similarity(engine: SuggestionEngine) -> None:
    found = engine.suggest(ProfileQuery(handle="annikathorvaldsen", proofs=(Proof("login", "bob2"),)))
    assert found[0].contact_id == "bob2"


def test_a_proof_outranks_all_other_evidence_together() -> None:
    known = replace(
        person("all", "Wanda", "Quorum", city="Leeds", state="Yorkshire", country="United Kingdom"),
        emails=("wanda@quorum.org",),
        phones=("+447700900321",),
        handles=("wandaquorum",),
        order_refs=("Q-1",),
    )
    query = ProfileQuery(
        handle="wandaquorum",
        display_name="Wanda Quorum",
        location="Leeds, Yorkshire",
        bio="Wanda Quorum, Leeds. wanda@quorum.org",
        phones=("+447700900321",),
        order_refs=("Q-1",),
    )
    with engine_over([*PEOPLE, known]) as engine:
        assert engine.suggest(query)[0].contact_id == "all"
        proven = engine.suggest(replace(query, proofs=(Proof("login", "van"),)))
        refused = engine.suggest(replace(query, proofs=(Proof("login", "van"),), excluded=frozenset(["van"])))
    assert [each.contact_id for each in proven] == ["van"]
    assert proven[0].reasons[0].kind == "proof"
    assert sum(reason.weight for reason in proven[0].reasons) == pytest.approx(_logit(proven[0].score), abs=1e-6)
    assert "other contacts" not in proven[0].reasons[-1].detail
    assert refused == []


def test_a_handle_confirmed_elsewhere_finds_the_same_person() -> None:
    people = [replace(each, handles=("@Night.Owl",)) if each.contact_id == "van" else each for each in PEOPLE]
    with engine_over(people) as engine:
        found = engine.suggest(ProfileQuery(network="instagram", handle="night_owl"))
    assert found[0].contact_id == "van"
    assert found[0].reasons[0].kind == "handle"


def test_a_number_shared_by_a_crowd_means_nothing() -> None:
    crowd = [
        person(f"c{number}", f"Wanda{number}", f"Quorum{number}x", phones=("+442079460958",)) for number in range(40)
    ]
    with engine_over([*PEOPLE, *crowd]) as engine:
        assert engine.suggest(ProfileQuery(handle="night_owl_99", phones=("+442079460958",))) == []


def test_not_this_one_is_never_shown_nor_its_duplicate(engine: SuggestionEngine) -> None:
    both = engine.suggest(ProfileQuery(handle="larrymarchbanks"))
    none = engine.suggest(ProfileQuery(handle="larrymarchbanks", excluded=frozenset(["dup2"])))
    assert {both[0].contact_id, *both[0].duplicates} == {"dup1", "dup2"}
    assert none == []


def test_an_excluded_contact_leaves_the_probability_to_the_others(engine: SuggestionEngine) -> None:
    before = engine.suggest(ProfileQuery(handle="johnsmith"))
    after = engine.suggest(ProfileQuery(handle="johnsmith", excluded=frozenset(f"jo{number}" for number in range(7))))
    assert after[0].contact_id == "jo7"
    assert after[0].score > before[0].score


@pytest.mark.parametrize(
    "profile",
    [
        ProfileQuery(handle="kestrelbank", display_name="Kestrel Savings Bank"),
        ProfileQuery(handle="KestrelFoundationTrust"),
        ProfileQuery(handle="annikathorvaldsen", brand=True),
        ProfileQuery(handle="kestrelfoundation"),
        ProfileQuery(handle="fundacionkestrel"),
        ProfileQuery(handle="4711", display_name="Stiftung Kestrel"),
        ProfileQuery(handle="4711", display_name="Università Kestrel"),
        ProfileQuery(handle="KestrelGmbH"),
        ProfileQuery(handle="kestrel_fc", display_name="Kestrel Bakery"),
        ProfileQuery(handle="rupert", display_name="Energy and Commerce"),
        ProfileQuery(handle="4711", display_name="Kestrel Feuerwehr"),
        ProfileQuery(handle="kestrel", display_name="株式会社Kestrel"),
        ProfileQuery(handle="kestrel", display_name="ООО Kestrel"),
        ProfileQuery(handle="kestrel", display_name="Công ty Kestrel"),
        ProfileQuery(handle="kestrel", display_name="شركة Kestrel"),
        ProfileQuery(handle="kestrelxyz", bio="Fresh every day. Our customers come first."),
        ProfileQuery(handle="4711", display_name="Kestrel", bio="Kundenservice 9-17 Uhr"),
    ],
)
def test_nobody_is_behind_a_brand(profile: ProfileQuery, engine: SuggestionEngine) -> None:
    assert engine.suggest(profile) == []


@pytest.mark.parametrize(
    ("profile", "contact_id"),
    [
        (ProfileQuery(handle="annikathorvaldsenfoundation"), "ann"),
        (ProfileQuery(handle="4711", display_name="Annika Thorvaldsen, Museum"), "ann"),
        (ProfileQuery(handle="wanda_institute"), "ins"),
        (ProfileQuery(handle="4711", display_name="Wanda Institute"), "ins"),
        (ProfileQuery(handle="AnnikaThorvaldsenGmbH"), "ann"),
        (ProfileQuery(handle="AnnikaThorvaldsenTravelFitness"), "ann"),
        (ProfileQuery(handle="4711", display_name="Annika Thorvaldsen Travel & Food"), "ann"),
        (ProfileQuery(handle="annikathorvaldsen", display_name="Travel"), "ann"),
        (ProfileQuery(handle="annikathorvaldsen", bio="I care for our customers"), "ann"),
        (
            ProfileQuery(handle="4711", display_name="Annika Thorvaldsen", bio="Official account. Our mission: peace."),
            "ann",
        ),
    ],
)
def test_a_person_with_an_organisations_word_stays_a_person(profile: ProfileQuery, contact_id: str) -> None:
    with engine_over([*PEOPLE, person("ins", "Wanda", "Institute")]) as engine:
        assert engine.suggest(profile)[0].contact_id == contact_id


def test_a_suggestion_changes_nothing() -> None:
    with index_over() as index:
        before = everything(index)
        SuggestionEngine(index, load_scorecard()).suggest(ProfileQuery(handle="johnsmith"))
        assert everything(index) == before


def test_the_order_of_contacts_does_not_matter() -> None:
    profiles = [ProfileQuery(handle=handle) for handle in HANDLES]
    with engine_over(PEOPLE) as one, engine_over(reversed(PEOPLE)) as other:
        assert [one.suggest(each) for each in profiles] == [other.suggest(each) for each in profiles]


def _bare(text: str) -> str:
    return "".join(char for char in normalize("NFD", text) if not combining(char))


@given(st.sampled_from(PEOPLE[:7]), st.sampled_from([str, _bare, partial(normalize, "NFD")]), st.data())
@settings(max_examples=80, deadline=None)
def test_case_accents_and_spacing_do_not_lose_the_person(
    engine: SuggestionEngine, contact: ContactFacts, accents: Callable[[str], str], data: st.DataObject
) -> None:
    name = accents(f"{contact.first_name} {contact.last_name}")
    spelled = "".join(data.draw(st.sampled_from([char, char.upper(), char.lower()])) for char in name)
    joint = data.draw(st.sampled_from(["", ".", "_", "-"]))
    by_handle = engine.suggest(ProfileQuery(handle=spelled.replace(" ", joint).replace("-", joint)))
    by_name = engine.suggest(ProfileQuery(handle="4711", display_name=spelled.replace(" ", "  ")))
    assert contact.contact_id in {each.contact_id for each in by_handle}
    assert by_name[0].contact_id == contact.contact_id


@given(st.sampled_from(PEOPLE[:12]), st.sampled_from(["annikathorvaldsen", "bobkestrel", "quinn", "nightowl", "pkuz"]))
@settings(max_examples=60, deadline=None)
def test_more_evidence_never_lowers_a_pair(contact: ContactFacts, handle: str) -> None:
    card = load_scorecard()
    known = canonical(contact)
    plain = ProfileQuery(handle=handle)
    base = card.log_odds(compare(view_of(plain), known)[0])
    stronger = [
        replace(plain, emails=known.emails),
        replace(plain, phones=known.phones),
        replace(plain, location=contact.city),
        replace(plain, order_refs=known.order_refs),
        replace(plain, bio=f"{contact.first_name} {contact.last_name}"),
        replace(plain, confirmed_handles=known.handles),
    ]
    for query in stronger:
        assert card.log_odds(compare(view_of(query), known)[0]) >= base - 1e-9


@given(
    st.builds(
        ProfileQuery,
        network=st.sampled_from(["x", "facebook", "youtube", "mastodon", ""]),
        handle=st.none() | st.text(max_size=60),
        display_name=st.none() | st.text(max_size=40),
        location=st.none() | st.text(max_size=40),
        bio=st.none() | st.text(max_size=80),
    )
)
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_it(engine: SuggestionEngine, profile: ProfileQuery) -> None:
    for each in engine.suggest(profile):
        assert 0 < each.score < 1


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=150, deadline=None)
def test_no_contact_breaks_it(first: str, last: str, city: str, mail: str) -> None:
    known = canonical(person("any", first, last, city=city, emails=(f"{mail}@fjord.no",), handles=(mail,)))
    entry = entry_of(known)
    assert canonical(known) == known
    assert entry.keys == sorted(set(entry.keys))
    assert all(key.isascii() or key[0] in "=@" for key in entry.keys)

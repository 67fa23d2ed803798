"""What every CRM must do, asked of the Salesforce gateway over the sandbox, over TLS, and over recorded answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connector.crm.package import compose_zip
from connector.crm.port import CRM, Outcome, Writing
from connector.crm.salesforce import SalesforceGateway
from sandbox.org import Config
from tests.crm_org import QUICK, TestOrg, running_org, settings_for
from tests.wire_stub import WireStub, wire_stub

OBJ, KEY = "Social_Profile__c", "Profile_Key__c"
THREADS = 32


class Place:
    """An org with a gateway to it, and the two things a test does behind the gateway's back."""

    def __init__(self, gateway: SalesforceGateway, org: TestOrg | WireStub) -> None:
        self.crm: CRM = gateway
        self.org = org

    def expire(self) -> None:
        """Ends every token, as the org does after its session time."""
        if isinstance(self.org, WireStub):
            self.org.tokens.append("another token")
        else:
            self.org.control("expire", {})

    def delete(self, record_id: str) -> None:
        """Deletes a record as a person does."""
        if isinstance(self.org, WireStub):
            row = next(each for each in self.org.records[OBJ].values() if each["Id"] == record_id)
            row["IsDeleted"] = True
        else:
            self.org.delete(OBJ, record_id)


@pytest.fixture(params=["sandbox", "sandbox over TLS", "recorded answers"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A fresh org of each kind."""
    if request.param == "recorded answers":
        with wire_stub() as stub:
            gateway = SalesforceGateway(settings_for(stub.url), writes={OBJ: Writing((KEY,))}, timeout=QUICK)
            yield Place(gateway, stub)
            gateway.close()
        return

    with running_org(tls=request.param == "sandbox over TLS", installed=False) as org:
        if org.server.certificate:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(org.server.certificate))
        org.gateway.install(compose_zip())
        yield Place(org.gateway, org)


def profiles(*keys: str, handle: str = "@ada") -> list[dict[str, str]]:
    return [{KEY: key, "Handle__c": handle} for key in keys]


class TestCrmContract:
    """Holds for each place."""

    def test_a_new_key_creates_and_a_known_key_updates_the_same_record(self, place: Place) -> None:
        (first,) = place.crm.upsert(OBJ, KEY, profiles("one"))
        (second,) = place.crm.upsert(OBJ, KEY, profiles("one", handle="@ada2"))
        assert (first.outcome, first.created, second.outcome, second.created) == (Outcome.OK, True, Outcome.OK, False)
        assert first.crm_id == second.crm_id
        assert first.crm_id is not None
        assert len(first.crm_id) == 18

    def test_450_records_take_three_calls_and_answers_keep_their_order(self, place: Place) -> None:
        keys = [f"k{number:03d}" for number in range(450)]
        before = place.crm.calls().writes
        results = place.crm.upsert(OBJ, KEY, profiles(*keys))
        assert place.crm.calls().writes - before == 3
        ids = place.crm.keyed(OBJ, KEY, keys)
        assert [result.crm_id for result in results] == [ids[key] for key in keys]

    def test_the_same_key_twice_in_one_call_is_one_record_in_its_later_state(self, place: Place) -> None:
        results = place.crm.upsert(OBJ, KEY, [*profiles("one", handle="@old"), *profiles("one", handle="@new")])
        assert results[0].crm_id == results[1].crm_id
        (row,) = place.crm.changed(OBJ, ["Id", "Handle__c", "SystemModstamp"], None)
        assert row["Handle__c"] == "@new"

    def test_a_bad_record_is_dead_in_the_orgs_words_and_its_neighbours_pass(self, place: Place) -> None:
        good, bad, other = place.crm.upsert(
            OBJ, KEY, [*profiles("a"), *profiles("b", handle="x" * 300), *profiles("c")]
        )
        assert (good.outcome, bad.outcome, other.outcome) == (Outcome.OK, Outcome.DEAD, Outcome.OK)
        assert bad.code == "STRING_TOO_LONG"
        assert bad.fields == ("Handle__c",)
        assert bad.message

    def test_what_was_deleted_is_changed_by_nobody_and_made_by_nobody(self, place: Place) -> None:
        there, gone = (each.crm_id or "" for each in place.crm.upsert(OBJ, KEY, profiles("there", "gone")))
        place.delete(gone)
        kept, lost = place.crm.update(OBJ, {there: {"Handle__c": "@new"}, gone: {"Handle__c": "@new"}})
        assert (kept.outcome, kept.crm_id, lost.outcome) == (Outcome.OK, there, Outcome.REMAP)
        shown = {row["Id"]: row["Handle__c"] for row in place.crm.changed(OBJ, ["Id", "Handle__c"], None)}
        assert shown == {there: "@new", gone: "@ada"}

    def test_changed_tells_oldest_first_from_a_moment_on(self, place: Place) -> None:
        for key in ("a", "b", "c"):
            place.crm.upsert(OBJ, KEY, profiles(key))
        fields = ["Id", KEY, "SystemModstamp"]
        rows = list(place.crm.changed(OBJ, fields, None))
        assert [row[KEY] for row in rows] == ["a", "b", "c"]
        middle = datetime.fromisoformat(rows[1]["SystemModstamp"])
        assert [row[KEY] for row in place.crm.changed(OBJ, fields, middle)] == ["b", "c"]

    def test_deleted_records_are_told_twice_over(self, place: Place) -> None:
        (made,) = place.crm.upsert(OBJ, KEY, profiles("gone"))
        assert made.crm_id
        place.delete(made.crm_id)
        (row,) = place.crm.changed(OBJ, ["Id", "IsDeleted", "SystemModstamp"], None)
        assert row["IsDeleted"] is True
        until = place.crm.now() + timedelta(minutes=1)
        told = place.crm.deleted(OBJ, until - timedelta(days=1), until)
        assert told.ids == (made.crm_id,)
        assert told.covered_until.utcoffset() is not None

    def test_keyed_finds_only_what_is_there(self, place: Place) -> None:
        (made,) = place.crm.upsert(OBJ, KEY, profiles("there"))
        assert place.crm.keyed(OBJ, KEY, ["there", "not there", "it's"]) == {"there": made.crm_id}

    def test_keyed_finds_what_was_deleted_where_nothing_else_has_the_key(self, place: Place) -> None:
        first, gone = place.crm.upsert(OBJ, KEY, profiles("again", "gone"))
        for made in (first, gone):
            place.delete(made.crm_id or "")
        (second,) = place.crm.upsert(OBJ, KEY, profiles("again"))
        assert second.crm_id != first.crm_id
        assert place.crm.keyed(OBJ, KEY, ["again", "gone"]) == {"again": second.crm_id}
        assert place.crm.keyed(OBJ, KEY, ["again", "gone"], deleted=True) == {
            "again": second.crm_id,
            "gone": gone.crm_id,
        }

    def test_fields_tell_the_external_id_and_none_for_an_unknown_object(self, place: Place) -> None:
        described = place.crm.fields(OBJ)
        assert described is not None
        assert described[KEY]["externalId"] is True
        assert described[KEY]["unique"] is True
        assert place.crm.fields("Unheard_Of__c") is None

    def test_fields_are_asked_once(self, place: Place) -> None:
        place.crm.fields(OBJ)
        before = place.crm.calls().reads
        place.crm.fields(OBJ)
        assert place.crm.calls().reads == before

    def test_the_budget_is_known_after_any_answer(self, place: Place) -> None:
        place.crm.fields(OBJ)
        budget = place.crm.budget()
        assert budget is not None
        assert 0 < budget.used <= budget.total

    def test_an_expired_token_is_renewed_once_however_many_threads_meet_it(self, place: Place) -> None:
        place.crm.upsert(OBJ, KEY, profiles("warm"))
        logins = place.crm.calls().logins
        place.expire()
        together = Barrier(THREADS)
        outcomes: list[Outcome] = []

        def write(number: int) -> None:
            together.wait()
            outcomes.extend(each.outcome for each in place.crm.upsert(OBJ, KEY, profiles(f"thread {number}")))

        threads = [Thread(target=write, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [Outcome.OK] * THREADS
        assert place.crm.calls().logins == logins + 1

    def test_check_finds_nothing_wrong(self, place: Place) -> None:
        assert [each for each in place.crm.check() if not each.ok] == []

    def test_install_tells_what_it_made(self, place: Place) -> None:
        assert any("CustomObject Social_Profile__c" in line for line in place.crm.install(compose_zip()))

    def test_now_is_the_orgs_time(self, place: Place) -> None:
        place.crm.fields(OBJ)
        assert abs(place.crm.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_signed_assertion_signs_in_as_well_as_a_secret() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with running_org(config=Config(public_key=public.decode())) as org:
        by_key = settings_for(org.url, client_secret="", private_key=private.decode(), username="admin@sandbox.test")
        gateway = SalesforceGateway(by_key, timeout=QUICK)
        assert gateway.fields("Case") is not None
        gateway.close()

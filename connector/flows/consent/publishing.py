"""Publishes wordings: what the files have is taken into the store once, and from then on only added to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from connector.domain.consent import Actor, ActorKind, Notice
from connector.errors import MappingInvalid, Problem
from connector.flows.consent.acts import SYSTEM
from connector.mapping.purposes import ConsentRegistry
from connector.store import ledger
from connector.store.ledger import NewEntry
from connector.store.notices import insert_notices, published
from connector.store.unit_of_work import Store


def publish_notices(store: Store, registry: ConsentRegistry, now: datetime) -> int:
    """How many wordings were new; each new version is an entry of the ledger.

    Raises MappingInvalid, and publishes nothing, where the files contradict what was published: a text, its purposes
    or its time changed under the same version, or a version is gone.
    """
    with store.begin() as uow:
        ledger.take_turn(uow)
        known = published(uow.connection)
        problems = [*_changed(registry, known), *_missing(registry, known)]
        if problems:
            raise MappingInvalid(problems)
        new = [each for each in registry.notices if (each.id, each.version, each.lang) not in known]
        insert_notices(uow, new)
        for (notice_id, version), texts in _by_version(new).items():
            facts = {
                "actor": {"t": ActorKind.SYSTEM.value, "ref": Actor(ActorKind.SYSTEM, SYSTEM).ref},
                "notice": {"id": notice_id, "v": version, "material": texts[0].material},
                "texts": {each.lang: each.sha256 for each in texts},
            }
            ledger.append(uow, NewEntry("notice_published", facts=facts), now)
    return len(new)


def _by_version(notices: list[Notice]) -> dict[tuple[str, str], list[Notice]]:
    grouped: dict[tuple[str, str], list[Notice]] = defaultdict(list)
    for each in notices:
        grouped[each.id, each.version].append(each)
    return grouped


def _changed(registry: ConsentRegistry, known: Mapping[tuple[str, str, str], Notice]) -> list[Problem]:
    problems = []
    for each in registry.notices:
        key = (each.id, each.version, each.lang)
        before = known.get(key)
        if before is not None and before != each:
            what = f"The wording `{each.id}` version {each.version} ({each.lang}) was published and cannot change."
            cure = "Put it back as it was, and add a new version below it."
            problems.append(Problem(registry.places.get(key, f"notices/{each.id}.yml"), what, cure))
    return problems


def _missing(registry: ConsentRegistry, known: Mapping[tuple[str, str, str], Notice]) -> list[Problem]:
    here = {(each.id, each.version, each.lang) for each in registry.notices}
    return [
        Problem(
            f"notices/{notice_id}.yml",
            f"The wording `{notice_id}` version {version} ({lang}) was published and is missing.",
            "Put it back: customers have answered to it. A newer version takes its place for new asks.",
        )
        for notice_id, version, lang in sorted(known.keys() - here)
    ]

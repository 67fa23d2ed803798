"""Finds contacts by what somebody typed: a name, an e-mail address, a phone number or an id. Reads only."""

from __future__ import annotations

from sqlalchemy import Connection, select

from connector.domain.identifiers import canonical_email, canonical_phone
from connector.domain.matching.folding import fold
from connector.domain.matching.index import Probe, beginning, exactly
from connector.domain.matching.keys import phone_key
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import crm_contacts

LONGEST = 200


def find_contacts(connection: Connection, text: str, *, limit: int = 20) -> list[str]:
    """Ids of living contacts that fit the text, exact finds first; names by their beginnings in any case."""
    index = SqlSuggestionIndex(connection)
    found = index.probe(_probes(text[:LONGEST], limit))
    refs = list(dict.fromkeys(ref for each in found for ref in each))[: 4 * limit]
    facts = index.contacts(refs)
    ids = [facts[ref].contact_id for ref in refs if ref in facts]
    living = select(crm_contacts.c.crm_id).where(crm_contacts.c.crm_id.in_(ids), crm_contacts.c.is_deleted.is_(False))
    alive = set(connection.execute(living).scalars())
    return [each for each in ids if each in alive][:limit]


def _probes(text: str, limit: int) -> list[Probe]:
    probes = []
    if email := canonical_email(text):
        probes.append(exactly(f"={email}", limit))
    if phone := canonical_phone(text):
        probes.append(exactly(f"#{phone_key(phone)}", limit))
    digits = "".join(char for char in text if char.isdigit())
    if len(digits) >= 7:
        probes.append(exactly(f"#{digits[-9:]}", limit))
    words = [word for word in fold(text).split() if word]
    if not words or "@" in text:
        return probes
    if len(words) > 1:
        first, last = words[0], "".join(words[1:])
        probes += [beginning(f"{last}|{first}", limit), beginning(f"{first}>{last}", limit)]
        probes += [beginning(f"{''.join(words[:-1])}|{words[-1]}", limit)]
    whole = "".join(words)
    if len(whole) < 2:
        return probes
    return [*probes, Probe(f"{whole}|", f"{whole}}}", 2 * limit), beginning(whole, 4 * limit)]

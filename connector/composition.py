"""Puts the parts of this process together from its settings; only ``app`` and the commands use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector.crm.port import CRM
from connector.domain.clock import Clock, file_clock, system_clock
from connector.errors import MappingInvalid, Misconfigured, Problem, SchemaOutdated, SettingsInvalid
from connector.flows.consent import publish_notices
from connector.flows.context import Context
from connector.flows.sources import Source
from connector.flows.submit import SOURCE, own_source
from connector.flows.sync import fields_read
from connector.flows.writeback import fields_written
from connector.google_keys import google_keys
from connector.mapping.channels import ChannelRegister, load_channels
from connector.mapping.crm import CrmMapping, load_crm_mapping
from connector.mapping.lint import check_mappings
from connector.mapping.loader import load_mappings
from connector.mapping.purposes import ConsentRegistry
from connector.mapping.schemes import scheme_problem
from connector.mapping.signatures import secret_problem
from connector.mapping.source import SourceMapping
from connector.settings import Settings, SourceSettings
from connector.store.installation import read_namespace
from connector.store.migrate import schema_problem
from connector.store.unit_of_work import Store, open_store


@dataclass(frozen=True, slots=True)
class Rules:
    """What the mapping files say."""

    mappings: Mapping[str, SourceMapping]
    channels: ChannelRegister
    consent: ConsentRegistry
    crm: CrmMapping


def load_rules(settings: Settings) -> Rules:
    """Everything under the mappings folder; MappingInvalid carries every problem of every file at once."""
    folder = settings.mappings_dir
    try:
        return Rules(
            load_mappings(folder),
            load_channels(folder / "channels.yml"),
            ConsentRegistry.load(folder, settings.company),
            load_crm_mapping(folder / "crm" / "salesforce.yml"),
        )
    except MappingInvalid as error:  # of one kind of file; the others may be wrong too
        raise MappingInvalid(check_mappings([folder], company=settings.company)) from error


def build_sources(settings: Settings, rules: Rules) -> dict[str, Source]:
    """The configured senders; SettingsInvalid with every source that names no mapping or has no usable secret."""
    problems = [problem for each in settings.sources.values() for problem in _source_problems(each, rules.mappings)]
    if problems:
        raise SettingsInvalid(problems)
    return {name: _source(each, rules.mappings[each.mapping]) for name, each in settings.sources.items()}


def build_crm(settings: Settings) -> CRM | None:
    """The CRM's gateway; None where none is configured."""
    if not settings.crm.url:
        return None
    from connector.crm.salesforce import SalesforceGateway

    mapping = load_crm_mapping(settings.mappings_dir / "crm" / "salesforce.yml")
    return SalesforceGateway(
        settings.crm, writes=fields_written(mapping), reads=fields_read(mapping), clock=build_clock(settings)
    )


def build_clock(settings: Settings) -> Clock:
    """The clock of this process."""
    return file_clock(settings.clock_file) if settings.clock_file else system_clock


def build_context(
    settings: Settings, *, crm: CRM | None = None, clock: Clock | None = None, store: Store | None = None
) -> Context:
    """What the flows work with.

    Raises Misconfigured (settings, mappings, secret key), SchemaOutdated before `connector migrate`, StoreBusy when the
    database is away.
    """
    if not settings.secret_key:
        raise Misconfigured("CONNECTOR_SECRET_KEY is not set: make one with `openssl rand -hex 32`.")
    rules = load_rules(settings)
    sources = {SOURCE: own_source(rules.mappings), **build_sources(settings, rules)}
    opened = store or open_store(settings.database_url)
    problem = schema_problem(opened)
    if problem:
        raise SchemaOutdated(problem)
    now = clock or build_clock(settings)
    publish_notices(opened, rules.consent, now())
    return Context(
        store=opened,
        clock=now,
        namespace=read_namespace(opened),
        sources=sources,
        channels=rules.channels,
        consent=rules.consent,
        secret_key=settings.secret_key,
        public_url=settings.public_url,
        crm=crm or build_crm(settings),
        crm_share=settings.crm.share,
        inbox_cap=settings.inbox_cap,
        company=settings.company,
        crm_mapping=rules.crm,
        known_share=settings.known_share,
    )


def _source(source: SourceSettings, mapping: SourceMapping) -> Source:
    return Source(
        name=source.name,
        mapping=mapping,
        secrets=source.secrets,
        account_ids=source.account_ids,
        verify_token=source.verify_token,
        topics=source.topics,
        scope=source.scope,
        max_bytes=source.max_bytes,
        verification=source.verification,
        keys=google_keys if (source.verification or mapping.verification) == "google_pubsub" else None,
    )


def _source_problems(source: SourceSettings, mappings: Mapping[str, SourceMapping]) -> list[Problem]:
    where = f"sources.{source.name}"
    mapping = mappings.get(source.mapping)
    if mapping is None:
        return [
            Problem(
                f"{where}.mapping",
                f"names {source.mapping}, which is not a mapping file.",
                f"Use one of: {', '.join(sorted(mappings))}.",
            )
        ]
    scheme = source.verification or mapping.verification
    if scheme not in mapping.verifications:
        return [
            Problem(
                f"{where}.verification",
                f"is {scheme}, which this sender does not offer.",
                f"Use one of: {', '.join(mapping.verifications)}.",
            )
        ]
    refused = scheme_problem(scheme)
    if refused is not None:
        return [Problem(where, refused.what, refused.cure)]
    found = [secret_problem(scheme, secret) for secret in source.secrets]
    return [Problem(f"{where}.secrets", each.what, each.cure) for each in found if each is not None]

"""The ``connector`` command. Families of commands live in ``connector.commands``; each builds only what it needs."""

from __future__ import annotations

import click

from connector.commands import consent, crm, demo, mappings, people, service, shelves, suggestions


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="social-crm-connector", prog_name="connector")
def main() -> None:
    """Social customer service cases in Salesforce, linked to contacts only by recorded consent."""


for command in (
    demo.demo,
    service.run,
    service.worker,
    service.migrate,
    service.check,
    service.sandbox,
    crm.crm,
    mappings.mappings,
    mappings.replay,
    suggestions.suggest,
    suggestions.suggestions,
    consent.consent,
    consent.ledger,
    shelves.deliveries,
    shelves.outbox,
    people.user,
    people.key,
):
    main.add_command(command)

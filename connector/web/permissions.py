"""Who may do what: one table of roles and one of routes. A route without a rule is refused, and fails a test."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from connector.domain.people import Role

PUBLIC = "public"
"""No sign-in asked: signatures, tokens or nothing secret guard the route."""


class Permission(StrEnum):
    """One thing a role may be allowed to do."""

    CASES_CREATE = "cases.create"
    CASES_READ = "cases.read"
    PEOPLE_READ = "people.read"
    CONSENT_RECORD = "consent.record"
    CONSENT_READ = "consent.read"
    LINKS_WITHDRAW = "links.withdraw"
    LINKS_HOLD = "links.hold"
    LINKS_REVOKE = "links.revoke"
    LINKS_INVALIDATE = "links.invalidate"
    EVIDENCE_OPEN = "evidence.open"
    REPORTS_READ = "reports.read"
    SOURCES_READ = "sources.read"
    OPERATE = "operate"
    MANAGE_PEOPLE = "people.manage"
    ACCOUNT = "account"


P = Permission

_AGENT = frozenset(
    {
        P.CASES_READ, P.PEOPLE_READ, P.CONSENT_RECORD, P.CONSENT_READ, P.LINKS_WITHDRAW, P.LINKS_HOLD,
        P.LINKS_INVALIDATE, P.REPORTS_READ, P.SOURCES_READ, P.ACCOUNT,
    }
)  # fmt: skip

ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.AGENT: _AGENT,
    Role.PRIVACY: _AGENT | {P.LINKS_REVOKE, P.EVIDENCE_OPEN},
    Role.ADMIN: _AGENT | {P.CASES_CREATE, P.LINKS_REVOKE, P.OPERATE, P.MANAGE_PEOPLE},
    Role.REPORTER: frozenset({P.CASES_READ, P.REPORTS_READ, P.SOURCES_READ, P.ACCOUNT}),
    Role.INGEST: frozenset({P.CASES_CREATE}),
}

RULES: Mapping[str, Permission | str] = {
    "static": PUBLIC,
    "webhooks.*": PUBLIC,
    "health.healthz": PUBLIC,
    "health.readyz": PUBLIC,
    "health.metrics": PUBLIC,
    "auth.login": PUBLIC,
    "auth.login_submit": PUBLIC,
    "auth.logout": P.ACCOUNT,
    "agent.home": P.ACCOUNT,
    "agent.inbox": P.PEOPLE_READ,
    "agent.case_list": P.CASES_READ,
    "agent.case": P.PEOPLE_READ,
    "agent.peek": P.PEOPLE_READ,
    "agent.reject": P.CONSENT_RECORD,
    "people.people_list": P.PEOPLE_READ,
    "people.search": P.PEOPLE_READ,
    "people.contact": P.PEOPLE_READ,
    "people.profile": P.PEOPLE_READ,
    "consent.ask": P.CONSENT_RECORD,
    "consent.record": P.CONSENT_RECORD,
    "consent.ask_contact": P.CONSENT_RECORD,
    "consent.record_contact": P.CONSENT_RECORD,
    "consent.end": P.LINKS_WITHDRAW,
    "consent.end_submit": P.LINKS_WITHDRAW,
    "reports.index": P.REPORTS_READ,
    "reports.show": P.REPORTS_READ,
    "reports.export": P.REPORTS_READ,
    "reports.cases": P.REPORTS_READ,
    "admin.health": P.OPERATE,
    "admin.deliveries": P.OPERATE,
    "admin.delivery": P.OPERATE,
    "admin.delivery_act": P.OPERATE,
    "admin.shelf": P.OPERATE,
    "admin.shelf_act": P.OPERATE,
    "admin.outbox": P.OPERATE,
    "admin.outbox_row": P.OPERATE,
    "admin.outbox_act": P.OPERATE,
    "admin.sources": P.OPERATE,
    "admin_people.users": P.MANAGE_PEOPLE,
    "admin_people.user_create": P.MANAGE_PEOPLE,
    "admin_people.user_change": P.MANAGE_PEOPLE,
    "admin_people.keys": P.MANAGE_PEOPLE,
    "admin_people.key_create": P.MANAGE_PEOPLE,
    "admin_people.key_revoke": P.MANAGE_PEOPLE,
    "api.openapi": PUBLIC,
    "api.list_cases": P.CASES_READ,
    "api.show_case": P.CASES_READ,
    "api.create_case": P.CASES_CREATE,
    "api.list_interactions": P.CASES_READ,
    "api.show_interaction": P.CASES_READ,
    "api.contact_history": P.PEOPLE_READ,
    "api.list_profiles": P.PEOPLE_READ,
    "api.show_profile": P.PEOPLE_READ,
    "api.profile_suggestions": P.PEOPLE_READ,
    "api.reject_suggestion": P.CONSENT_RECORD,
    "api.record_consent": P.CONSENT_RECORD,
    "api.consent_wording": P.CONSENT_RECORD,
    "api.preview_consent": P.CONSENT_RECORD,
    "api.list_consent_records": P.CONSENT_READ,
    "api.list_links": P.CONSENT_READ,
    "api.show_link": P.CONSENT_READ,
    "api.open_evidence": P.EVIDENCE_OPEN,
    "api.withdraw_link": P.LINKS_WITHDRAW,
    "api.hold_link": P.LINKS_HOLD,
    "api.release_link": P.LINKS_HOLD,
    "api.revoke_link": P.LINKS_REVOKE,
    "api.invalidate_link": P.LINKS_INVALIDATE,
    "api.show_permit": P.CONSENT_READ,
    "api.list_deliveries": P.OPERATE,
    "api.show_delivery": P.OPERATE,
    "api.retry_delivery": P.OPERATE,
    "api.drop_delivery": P.OPERATE,
    "api.list_outbox": P.OPERATE,
    "api.show_outbox_row": P.OPERATE,
    "api.retry_outbox_row": P.OPERATE,
    "api.drop_outbox_row": P.OPERATE,
    "api.list_sources": P.SOURCES_READ,
    "api.list_reports": P.REPORTS_READ,
    "api.show_report": P.REPORTS_READ,
}


def rule_of(endpoint: str) -> Permission | str | None:
    """What a route asks for: a permission, PUBLIC, or None where no rule names it (then it is refused)."""
    return RULES.get(endpoint) or RULES.get(f"{endpoint.split('.', maxsplit=1)[0]}.*")


def allows(role: Role, permission: Permission) -> bool:
    """Whether the role holds the permission."""
    return permission in ROLES[role]


def sees_personal(role: Role) -> bool:
    """Whether names, handles and texts may be shown to the role at all."""
    return allows(role, Permission.PEOPLE_READ)

"""Every address has an access rule, and every rule an address."""

from __future__ import annotations

from connector.web.loggable import WORDS
from connector.web.permissions import PUBLIC, ROLES, RULES, Permission, rule_of
from tests.web.conftest import Site, site

__all__ = ["site"]

PUBLIC_ADDRESSES = {
    "static", "health.healthz", "health.readyz", "health.metrics", "auth.login", "auth.login_submit", "api.openapi",
    "webhooks.*",
}  # fmt: skip


def test_every_route_has_a_rule(site: Site) -> None:
    """A route that nobody thought about is refused in production; here it fails."""
    without = [rule.endpoint for rule in site.app.url_map.iter_rules() if rule_of(rule.endpoint) is None]
    assert without == []


def test_every_rule_has_a_route(site: Site) -> None:
    """A rule for a route that is gone would hide a later mistake."""
    known = {rule.endpoint for rule in site.app.url_map.iter_rules()}
    gone = [name for name in RULES if name not in known and not name.endswith(".*")]
    assert gone == []


def test_the_log_knows_the_words_of_every_address(site: Site) -> None:
    """Else it would blot them out; what it does not know may be personal."""
    parts = {part for rule in site.app.url_map.iter_rules() for part in rule.rule.split("/") if "<" not in part}
    assert parts <= WORDS


def test_only_these_addresses_are_public() -> None:
    """Opening an address to everybody is a decision that shows in this list."""
    assert {name for name, rule in RULES.items() if rule == PUBLIC} == PUBLIC_ADDRESSES


def test_every_permission_is_held_and_asked_for() -> None:
    """A permission that nobody holds, or that guards nothing, is a leftover."""
    held = {each for permissions in ROLES.values() for each in permissions}
    asked = {rule for rule in RULES.values() if rule != PUBLIC}
    assert held == asked == set(Permission)

"""Consent: asking, answering, undoing, and what follows from each. docs/consent.md tells it as a story.

Every change goes through ``acts.write_act``: ledger, link and outbox in one transaction.
"""

from connector.flows.consent.ending import invalidate, revoke, withdraw, withdraw_in
from connector.flows.consent.holding import (
    contact_back_in,
    contact_gone,
    contact_gone_in,
    hold,
    hold_profile,
    network_signal,
    release,
    review_bindings,
    signal_of,
)
from connector.flows.consent.looking import LinkView, PurposeView, Script, Shown, ask_script, disclose_evidence, show
from connector.flows.consent.merging import bind_account, follow_merge, follow_merge_in
from connector.flows.consent.preview import Preview, Standstill, Writing, preview
from connector.flows.consent.publishing import publish_notices
from connector.flows.consent.record import prove, record, record_in
from connector.flows.consent.upkeep import UpkeepReport, expire_due
from connector.flows.consent.verifying import verify
from connector.flows.consent.words import LinkChange, NetworkSignal, Receipt, RecordConsent, WithdrawConsent

__all__ = [
    "LinkChange",
    "LinkView",
    "NetworkSignal",
    "Preview",
    "PurposeView",
    "Receipt",
    "RecordConsent",
    "Script",
    "Shown",
    "Standstill",
    "UpkeepReport",
    "WithdrawConsent",
    "Writing",
    "ask_script",
    "bind_account",
    "contact_back_in",
    "contact_gone",
    "contact_gone_in",
    "disclose_evidence",
    "expire_due",
    "follow_merge",
    "follow_merge_in",
    "hold",
    "hold_profile",
    "invalidate",
    "network_signal",
    "preview",
    "prove",
    "publish_notices",
    "record",
    "record_in",
    "release",
    "review_bindings",
    "revoke",
    "show",
    "signal_of",
    "verify",
    "withdraw",
    "withdraw_in",
]

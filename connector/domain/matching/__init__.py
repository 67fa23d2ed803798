"""Suggestions: which contacts may be behind a profile, how likely and why. They order whom to ask; they never link."""

from connector.domain.matching.engine import SuggestionEngine
from connector.domain.matching.facts import Candidate, ContactFacts, ProfileQuery, Proof, Reason
from connector.domain.matching.scorecard import Scorecard

__all__ = ["Candidate", "ContactFacts", "ProfileQuery", "Proof", "Reason", "Scorecard", "SuggestionEngine"]

"""The words of the trade: channels, event kinds, directions, visibility and author roles.

Each is a closed vocabulary with an ``unknown`` member where the outside may send something new.
"""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """How a customer reached the brand; nine channels, see mappings/channels.yml for networks and report groups."""

    PHONE = "phone"
    SMS = "sms"
    EMAIL = "email"
    CHAT = "chat"
    MESSAGING = "messaging"
    SOCIAL = "social"
    COMMUNITY = "community"
    REVIEW = "review"
    SELF_SERVICE = "self_service"


class Kind(StrEnum):
    """What happened, in the normal form; the list is a promise (docs/adding-a-source.md)."""

    MESSAGE = "message"
    MESSAGE_EDIT = "message_edit"
    MESSAGE_DELETE = "message_delete"
    POST = "post"
    POST_EDIT = "post_edit"
    POST_DELETE = "post_delete"
    COMMENT = "comment"
    COMMENT_EDIT = "comment_edit"
    COMMENT_DELETE = "comment_delete"
    MENTION = "mention"
    REPLY = "reply"
    QUOTE = "quote"
    REACTION = "reaction"
    REVIEW = "review"
    EMAIL = "email"
    CALL = "call"
    STATUS = "status"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    ACCOUNT_LINK = "account_link"
    ACCOUNT_UNLINK = "account_unlink"
    CONTACT_PROFILE = "contact_profile"
    PROFILE_CHANGE = "profile_change"
    MARKETING_PREFERENCE = "marketing_preference"
    ACCESS_REVOKED = "access_revoked"
    DATA_DELETION = "data_deletion"
    TICKET_CREATED = "ticket_created"
    TICKET_COMMENT = "ticket_comment"
    CASE_UPDATE = "case_update"
    CASE_PENDING = "case_pending"
    CASE_RESOLVED = "case_resolved"
    IGNORE = "ignore"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Whose words they are: the customer's (inbound), the brand's (outbound), or a note among colleagues (internal)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Visibility(StrEnum):
    """Who could read it where it was written."""

    PUBLIC = "public"
    PRIVATE = "private"


class AuthorRole(StrEnum):
    """Who wrote it; only ``agent`` stops a response clock."""

    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"
    MARKETING = "marketing"
    SYSTEM = "system"
    UNKNOWN = "unknown"


EDITS: dict[Kind, frozenset[Kind]] = {
    Kind.MESSAGE_EDIT: frozenset({Kind.MESSAGE}),
    Kind.POST_EDIT: frozenset({Kind.POST, Kind.MENTION, Kind.REPLY, Kind.QUOTE, Kind.REVIEW}),
    Kind.COMMENT_EDIT: frozenset({Kind.COMMENT, Kind.MENTION, Kind.REPLY}),
}
"""Which kinds an edit may change: networks report an edited mention as an edited post."""

DELETES = frozenset({Kind.MESSAGE_DELETE, Kind.POST_DELETE, Kind.COMMENT_DELETE})

CONTENT = frozenset(
    {
        Kind.MESSAGE, Kind.POST, Kind.COMMENT, Kind.MENTION, Kind.REPLY, Kind.QUOTE, Kind.REVIEW,
        Kind.EMAIL, Kind.CALL, Kind.TICKET_CREATED, Kind.TICKET_COMMENT,
    }
)  # fmt: skip
"""Kinds that become an interaction."""

OPENING = CONTENT - {Kind.TICKET_COMMENT}
"""Kinds by which a customer opens a case; a brand's own never does."""

"""How things are said on pages: times, durations, names, channels, states. Filters and globals of every template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from markupsafe import Markup, escape

from connector.domain.events import from_millis
from connector.flows.context import Context

CHANNELS = {
    "phone": "Phone", "sms": "SMS", "email": "E-mail", "chat": "Chat", "messaging": "Messaging", "social": "Social",
    "community": "Community", "review": "Review", "self_service": "Self-service",
}  # fmt: skip

LINK_STATES: Mapping[str, tuple[str, str]] = {
    "asked": ("asked", "Asked, no answer yet"),
    "deferred": ("asked", "Not now"),
    "active": ("linked", "Linked by consent"),
    "declined": ("none", "Said no"),
    "withdrawn": ("none", "Withdrawn by the customer"),
    "expired": ("none", "Expired"),
    "revoked": ("none", "Ended by us"),
    "invalidated": ("none", "Was not this person"),
    "superseded": ("none", "Replaced after a merge"),
    "erased": ("none", "Erased"),
}
"""A link's state as a shape and as words."""

HOLD_WORDS: Mapping[str, tuple[str, str]] = {
    "account_deleted": (
        "The account was deleted",
        "It ends by itself when the account comes back; after 30 days the link ends.",
    ),
    "account_suspended": ("The network suspended the account", "It ends by itself when the network lets it in again."),
    "recycled": (
        "The handle may belong to somebody else now",
        "Ask who writes; a privacy officer releases it, or the link is undone.",
    ),
    "binding_review": (
        "The account may not be the one that was spoken of",
        "Ask the customer whether this account is theirs; a privacy officer releases it, or the link is undone.",
    ),
    "possible_withdrawal": (
        "The customer may have withdrawn",
        "If they want it undone, unlink; where nobody decides in time, the link ends.",
    ),
    "crm_optout": (
        "The contact opted out in the CRM",
        "A privacy officer releases it once that is taken back there, or the link is undone.",
    ),
    "contact_missing": ("The contact is gone from the CRM", "It ends by itself when the contact is back there."),
    "split_review": (
        "A joining of contacts was taken back in the CRM",
        "Whose account it is is open: a privacy officer releases it, or the link is undone.",
    ),
    "dispute": ("Two people claim this account", "A privacy officer decides."),
    "not_me": ("Somebody said that this was never them", "A second person has to say so too before the link ends."),
}
"""Why a link rests, and what ends that."""

METHODS = {
    "agent_phone": "by phone", "agent_chat": "in chat", "agent_email": "by e-mail", "agent_store": "in the store",
    "agent_social": "in the conversation", "reply": "by reply", "one_time_link": "by one-time link",
    "sign_in": "by signing in", "web_form": "in a web form", "import": "by import", "network": "by the network",
}  # fmt: skip

BANDS = ((3600, "ok", "fresh"), (3 * 3600, "ok", "recent"), (24 * 3600, "warn", "getting old"))
"""Age on the customer's clock: below how many seconds, which colour, and the word beside it."""


class Presenter:
    """The words and forms of one installation: its zone, its clock and its networks' titles."""

    def __init__(self, clock: Callable[[], datetime], zone: ZoneInfo, network_titles: Mapping[str, str]) -> None:
        self.clock = clock
        self.zone = zone
        self.network_titles = network_titles

    def moment(self, millis: int | datetime | None, *, clock: bool = False) -> Markup:
        """The time as people say it, with the exact local time on hover and in <time>; ``clock`` as of ``ago``."""
        if millis is None:
            return Markup('<span class="quiet">never</span>')
        at = self._local(millis)
        return Markup('<time datetime="{iso}" title="{full}">{words}</time>').format(
            iso=at.isoformat(timespec="seconds"), full=self._full(at), words=self.ago(millis, clock=clock)
        )

    def exact(self, millis: int | datetime | None, zone: ZoneInfo | None = None) -> Markup:
        """The exact local time in <time>; of another zone than the page's where one is given."""
        if millis is None:
            return Markup('<span class="quiet">never</span>')
        at = self._local(millis).astimezone(zone or self.zone)
        return Markup('<time datetime="{iso}" title="{full}">{words}</time>').format(
            iso=at.isoformat(timespec="seconds"),
            full=self._full(at),
            words=f"{at:%a} {at.day} {at:%b %Y, %H:%M}",
        )

    def ago(self, millis: int | datetime, *, clock: bool = False) -> str:
        """ "5 min ago", "yesterday 09:30", "3 Nov 2025"; with ``clock`` the hour of older days too: "3 Nov 09:30"."""
        at = self._local(millis)
        now = self.clock().astimezone(self.zone)
        seconds = (now - at).total_seconds()
        if 0 <= seconds < 3600:
            return "just now" if seconds < 60 else f"{int(seconds // 60)} min ago"
        days = (now.date() - at.date()).days
        if days in (0, -1) and seconds < 0:
            return f"in {duration(-seconds)}"
        if days == 0:
            return f"today {at:%H:%M}"
        if days == 1:
            return f"yesterday {at:%H:%M}"
        same_year = at.year == now.year
        day = f"{at.day} {at:%b}" if same_year else f"{at.day} {at:%b %Y}"
        return f"{day} {at:%H:%M}" if clock else day

    def day(self, millis: int | datetime) -> str:
        """The local day: "Mon 3 Nov 2025"."""
        at = self._local(millis)
        return f"{at:%a} {at.day} {at:%b %Y}"

    def age(self, millis: int | None) -> str:
        """How long ago, as a duration: "1 h 05 min"."""
        if millis is None:
            return "–"
        return duration((self.clock() - from_millis(millis)).total_seconds())

    def band(self, millis: int | None) -> tuple[str, str]:
        """The age's colour and word."""
        if millis is None:
            return "ok", ""
        seconds = (self.clock() - from_millis(millis)).total_seconds()
        return next(((colour, word) for limit, colour, word in BANDS if seconds < limit), ("bad", "overdue"))

    def network(self, name: str | None) -> str:
        """The network's own title."""
        return self.network_titles.get(name or "", (name or "unknown").replace("_", " "))

    def account(self, row: Mapping[Any, Any], *, network_beside: bool = False) -> str:
        """What an account is called: ``account`` with the network's own title, unless that stands beside it anyway."""
        return account(row, "" if network_beside else self.network(row["network"]))

    def _local(self, millis: int | datetime) -> datetime:
        return (from_millis(millis) if isinstance(millis, int) else millis).astimezone(self.zone)

    def _full(self, at: datetime) -> str:
        return f"{at:%a} {at.day} {at:%b %Y, %H:%M:%S} {at:%Z}"


def duration(seconds: float | None) -> str:
    """A duration as people say it: "40 s", "5 min", "1 h 05 min", "3 d 4 h"."""
    if seconds is None:
        return "–"
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86400:
        minutes = seconds % 3600 // 60
        return f"{seconds // 3600} h {minutes:02d} min" if minutes else f"{seconds // 3600} h"
    hours = seconds % 86400 // 3600
    return f"{seconds // 86400} d {hours} h" if hours else f"{seconds // 86400} d"


def date_words(day: date | str, *, weekday: bool = True) -> str:
    """A day as people say it: "Mon 2 Feb 2026"."""
    at = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{at:%a} {at.day} {at:%b %Y}" if weekday else f"{at.day} {at:%b %Y}"


def span(first: date, last: date) -> str:
    """The days from one to another: "6 Jan to 2 Feb 2026"."""
    if first == last:
        return date_words(first)
    began = f"{first.day} {first:%b}" if first.year == last.year else date_words(first, weekday=False)
    return f"{began} to {date_words(last, weekday=False)}"


def count(number: int, *, stops_at: int = 10_000) -> str:
    """A count with thin grouping; "10,000+" where counting stopped."""
    return f"{stops_at:,}+" if number > stops_at else f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """ "1 case", "2 cases"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def person_name(first: str | None, last: str | None) -> str:
    """First and last name; "(no name)" where the CRM has neither."""
    return " ".join(part.strip() for part in (first, last) if part and part.strip()) or "(no name)"


NUMBERED = frozenset({"phone", "sms"})
"""Networks whose accounts are nothing but a number."""


def handle(text: str | None) -> str:
    """The handle with its @; characters that nobody sees, or that reorder what stands beside it, are shown as ␣.

    An e-mail address or a number is shown as it is.
    """
    cleaned = told_apart((text or "").strip())
    if not cleaned:
        return "(no handle)"
    return cleaned if "@" in cleaned or cleaned.lstrip("+").isdigit() else f"@{cleaned}"


SHOWN_OF_ID = 6
"""How much of an account's id tells it from another without a name."""


def account(row: Mapping[Any, Any], network: str) -> str:
    """What an account is called on a page: its handle, the shown name, the number it calls from, else the id's end."""
    if row["handle"]:
        return handle(row["handle"])
    known = str(row["external_id"] or "")
    if row["display_name"] or (known and row["network"] in NUMBERED):
        return without_bidi(str(row["display_name"] or known)).strip() or "(no name)"
    end = known if len(known) <= SHOWN_OF_ID else f"…{known[-SHOWN_OF_ID:]}"
    return f"{network} account {end}".strip() if network else f"Account {end}".strip()


BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u2800\u3164\ufeff\uffa0"
)


def without_bidi(text: str) -> str:
    """The text without the characters that change the direction of what follows; empty where nothing can be seen."""
    kept = "".join(char for char in text if char not in BIDI)
    return kept if any(char not in UNSEEN and not char.isspace() for char in kept) else ""


def told_apart(name: str) -> str:
    """A handle in which what nobody can see is made visible: "ma␣ra" is not "mara", whoever would like it to be."""
    return "".join("␣" if char in UNSEEN or char in BIDI else char for char in name)


def quoted(text: str | None) -> Markup:
    """Somebody else's words: escaped, isolated in direction, line breaks kept."""
    return Markup('<bdi class="words" dir="auto">{}</bdi>').format(without_bidi(text or ""))


def ticks(text: str | None) -> Markup:
    """A sentence in which `names` stand in backticks, with those set as code."""
    parts = (text or "").split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(each) if at % 2 else each for at, each in enumerate(parts))


def hold_words(reason: str) -> tuple[str, str]:
    """Why a link rests and what ends that, in words."""
    return HOLD_WORDS.get(reason, (reason.replace("_", " ").capitalize(), ""))


def safe_link(url: str | None) -> str | None:
    """The address where it is a plain web address; None for anything that could run or confuse."""
    if not url:
        return None
    parts = urlsplit(url.strip())
    return url.strip() if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else None


def attached(attachments: str) -> list[tuple[str, str | None]]:
    """What was sent along: what it is, in a word, and its address where one may follow it."""
    return [(_file_word(each["kind"]), safe_link(each["url"])) for each in json.loads(attachments)]


def _file_word(kind: str | None) -> str:
    word = (kind or "").partition("/")[0].replace("_", " ").strip().lower()
    return "file" if word in ("", "application", "text") else word


def masked_email(email: str | None) -> str:
    """The address with most of its name hidden: enough to recognise, not to copy."""
    if not email or "@" not in email:
        return ""
    local, _, domain = email.partition("@")
    return f"{local[:1]}…{local[-1:] if len(local) > 3 else ''}@{domain}"


def icon(name: str) -> Markup:
    """The drawing of a channel or a state; the word always stands beside it."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>').format(name)


def presenter() -> Presenter:
    """The presenter of the app that answers."""
    found: Presenter = current_app.extensions["connector_presenter"]
    return found


def register_presenter(app: Flask, ctx: Context, timezone: str) -> None:
    """Gives every template its filters."""
    titles = {name: network.title for name, network in ctx.channels.networks.items()}
    presenter = Presenter(ctx.clock, ZoneInfo(timezone), titles)
    app.extensions["connector_presenter"] = presenter
    filters: dict[str, Callable[..., Any]] = {
        "moment": presenter.moment, "exact": presenter.exact, "day": presenter.day, "age": presenter.age,
        "band": presenter.band, "network": presenter.network, "duration": duration, "count": count, "plural": plural,
        "date": date_words, "handle": handle, "account": presenter.account, "attached": attached,
        "quoted": quoted, "ticks": ticks, "plain": lambda text: without_bidi(text or ""),
        "safe_link": safe_link, "masked": masked_email, "icon": icon,
        "channel": lambda name: CHANNELS.get(name, str(escape(name))),
        "method": lambda name: METHODS.get(name, "by another way"),
        "hold": hold_words,
        "link_state": lambda name: LINK_STATES.get(name, ("none", name)),
    }  # fmt: skip
    app.jinja_env.filters.update(filters)
    app.jinja_env.globals.update(
        person_name=person_name, span=span, zone=timezone, CHANNELS=CHANNELS, company=ctx.company, now=ctx.clock
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

"""The story: what the networks deliver, in order, and what customers answer when they are asked.

Times are counted from the story's start, which the first telling writes down; so every later telling sends the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.demo import bodies
from connector.domain.consent import Answer

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FORUM = ("X-Discourse-Instance", "https://forum.northwind.example")

Hours = Callable[[float], datetime]
"""The moment so many hours into the story."""

TOM = bodies.x_user("1500000000000004711", "tombecker_mi", "Tom B.", 312, "Plymouth, MI")
ANNA = bodies.x_user("1500000000000004712", "anna_writes", "Anna", 61_400, "Berlin")
MARA = "7700000000000001"
LUCIA = ("17841499900000001", "lucia.fdez")
JONAS = ("DE.4915550000000001", "4915555033110")
SAKURA = (88_100_200, "Sakura", "Tanaka", "sakura_t")
GRACE = (301, "grace_k", "Grace Kim")


@dataclass(frozen=True, slots=True)
class Posting:
    """One delivery: to which source, and the bytes."""

    source: str
    body: bytes
    content_type: str = JSON
    delivery_id: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """An agent asks; ``person`` is the contact's key in the story."""

    key: str
    network: str
    external_id: str
    person: str
    answer: Answer
    words: str
    method: str = "agent_social"
    withdraws: bool = False


def postings(start: datetime) -> tuple[Posting, ...]:
    """Every delivery of the story; some arrive twice, late, or with a bad item, as in life."""

    def at(hours: float) -> datetime:
        return start + timedelta(hours=hours)

    return (*_on_x(at), *_at_meta(at), *_elsewhere(at))


def _on_x(at: Hours) -> Iterator[Posting]:
    thread = "1990000000000000101"
    asks = bodies.x_post(thread, TOM, "@NorthwindHelp order 4711 still has not arrived. Anyone there? 🏕️", at(1))
    answer = bodies.x_post(
        "1990000000000000102", bodies.X_SHOP, "@tombecker_mi Sorry, Tom! We are on it.", at(1.6),
        conversation=thread, replies_to=thread, event="post.create",
    )  # fmt: skip
    thanks = bodies.x_post(
        "1990000000000000103", TOM, "@NorthwindHelp Thank you. I also called last week.", at(2.1),
        conversation=thread, replies_to="1990000000000000102", event="post.reply.create",
    )  # fmt: skip
    praise = bodies.x_post("1990000000000000201", ANNA, "@NorthwindHelp your new jacket is the best ever", at(3))
    for body in (asks, asks, answer, thanks, praise):
        yield Posting("x", body)


def _at_meta(at: Hours) -> Iterator[Posting]:
    yield Posting(
        "facebook",
        bodies.page_messages(
            ("m_demo_0001", MARA, "Hi, the sole of my boots came off. mara.okafor@harbour.example", at(4)),
            ("m_demo_0002", bodies.PAGE, "Hello Mara, how annoying. We will replace them.", at(4.4)),
            ("m_demo_0003", MARA, "Wonderful, thanks", at(4.5)),
        ),
    )
    yield Posting(
        "facebook_page",
        bodies.page_comments(
            bodies.page_comment("9001", "8001", ("660001", "Sam O'Neill"), "Do the boots run small?", at(5)),
            {"item": "comment", "verb": "add", "comment_id": {"not": "an id"}, "post_id": f"{bodies.PAGE}_8001"},
            bodies.page_comment("9002", "8001", ("660002", "Amélie Dubois"), "Très bon service, merci !", at(5.2)),
            at=at(5.3),
        ),
    )
    yield Posting(
        "instagram",
        bodies.instagram_comment("17919600000000001", "18172100000000001", LUCIA, "¿Hay talla 38? 😍", at(6)),
    )
    yield Posting(
        "whatsapp", bodies.whatsapp_text("wamid.demo0001", *JONAS, "Jonas Weiß", "Wo bleibt meine Rechnung?", at(7))
    )


def _elsewhere(at: Hours) -> Iterator[Posting]:
    yield Posting("telegram", bodies.telegram_text(500_001, 41, SAKURA, "テントの在庫はありますか？", at(8)))
    for event, text, hours, version in (
        ("post_created", "Tent pole snapped on first use.", 9.0, 1),
        ("post_edited", "Tent pole snapped on first use. Photo below.", 9.2, 2),
    ):
        yield Posting(
            "discourse",
            bodies.discourse_post(7001, 610, 1, GRACE, text, at(hours), version),
            headers=(("X-Discourse-Event", event), ("X-Discourse-Event-Type", "post"), FORUM),
        )
    yield Posting(
        "trustpilot",
        bodies.trustpilot_review(
            "64d000000000000000000001", ("64d000000000000000000002", "Priya R"), 2, "Slow delivery",
            "Took three weeks. The stove itself is fine.", at(10),
        ),
    )  # fmt: skip
    yield Posting("twilio", bodies.twilio_call("CA" + "7" * 32, "+12065550173", 204, at(11)), FORM)
    yield Posting(
        "postmark",
        bodies.postmark_email(
            "b7c1f3de-0000-4000-8000-000000000001", ("amelie.dubois@rhone.example", "Amélie Dubois"), "Facture",
            "Bonjour, pouvez-vous m’envoyer la facture ?", at(12),
        ),
    )  # fmt: skip


ASKINGS = (
    Asking("tom", "x", TOM["id"], "tom_mi", Answer.YES, "Yes please, link it, so I do not have to repeat myself."),
    Asking("mara", "messenger", MARA, "mara", Answer.YES, "Yes, that's fine."),
    Asking("lucia", "instagram", LUCIA[0], "lucia", Answer.NO, "No, gracias."),
    Asking("grace", "discourse", str(GRACE[0]), "grace", Answer.NOT_NOW, "Maybe later."),
    Asking("jonas", "whatsapp", JONAS[0], "jonas", Answer.YES, "Ja, gern.", withdraws=True),
)

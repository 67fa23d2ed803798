"""The bodies the networks would send, for invented people; each function gives one provider's shape."""

from __future__ import annotations

import json
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from connector.domain.events import format_time

PAGE = "204815560001"
INSTAGRAM = "17841400000002048"
PHONE_NUMBER_ID = "550011220033"
X_BRAND = "1500000000000000001"
BRAND_PHONE = "+441632960100"
CARE = "care@northwind.example"


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def x_user(user_id: str, username: str, name: str, followers: int, location: str = "") -> dict[str, Any]:
    """An X account as the Activity API includes it."""
    return {
        "id": user_id, "username": username, "name": name, "location": location, "protected": False,
        "public_metrics": {"followers_count": followers, "following_count": 120, "tweet_count": 900},
    }  # fmt: skip


X_SHOP = x_user(X_BRAND, "NorthwindHelp", "Northwind Outfitters", 48_210, "Leeds")


def x_post(
    post_id: str,
    user: dict[str, Any],
    text: str,
    at: datetime,
    *,
    conversation: str | None = None,
    replies_to: str | None = None,
    event: str = "post.mention.create",
) -> bytes:
    """A post that mentions the brand, or the brand's own reply (event ``post.create``), by the X Activity API."""
    payload: dict[str, Any] = {
        "id": post_id, "author_id": user["id"], "text": text, "lang": "en", "created_at": format_time(at),
        "conversation_id": conversation or post_id, "edit_history_tweet_ids": [post_id],
        "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 0, "quote_count": 0},
    }  # fmt: skip
    if replies_to:
        payload["referenced_tweets"] = [{"type": "replied_to", "id": replies_to}]
    return _bytes(
        {"data": {
            "event_uuid": f"9{post_id[1:]}", "filter": {"user_id": X_BRAND}, "event_type": event, "tag": "northwind",
            "payload": payload, "includes": {"users": [user]},
        }}
    )  # fmt: skip


def page_messages(*messages: tuple[str, str, str, datetime]) -> bytes:
    """Messenger messages in one batch: (id, sender, text, at); the page itself as sender makes an echo."""
    customer = next(sender for _mid, sender, _text, _at in messages if sender != PAGE)
    entries = [
        {
            "sender": {"id": sender},
            "recipient": {"id": customer if sender == PAGE else PAGE},
            "timestamp": _millis(at),
            "message": {"mid": mid, "text": text, **({"is_echo": True, "app_id": 7001} if sender == PAGE else {})},
        }
        for mid, sender, text, at in messages
    ]
    return _bytes({"object": "page", "entry": [{"id": PAGE, "time": _millis(messages[-1][3]), "messaging": entries}]})


def page_comments(*values: dict[str, Any], at: datetime) -> bytes:
    """Feed changes of the Facebook page in one batch."""
    changes = [{"field": "feed", "value": value} for value in values]
    return _bytes({"object": "page", "entry": [{"id": PAGE, "time": _seconds(at), "changes": changes}]})


def page_comment(
    comment: str, post: str, author: tuple[str, str], text: str, at: datetime, verb: str = "add"
) -> dict[str, Any]:
    """One comment below a post of the page."""
    return {
        "item": "comment", "verb": verb, "comment_id": f"{PAGE}_{comment}", "post_id": f"{PAGE}_{post}",
        "parent_id": f"{PAGE}_{post}", "from": {"id": author[0], "name": author[1]}, "message": text,
        "created_time": _seconds(at), "post": {"permalink_url": f"https://www.facebook.com/northwind/posts/{post}"},
    }  # fmt: skip


def instagram_comment(comment: str, media: str, author: tuple[str, str], text: str, at: datetime) -> bytes:
    """One comment below a picture of the brand."""
    value = {
        "id": comment, "text": text, "from": {"id": author[0], "username": author[1]},
        "media": {"id": media, "media_product_type": "FEED"},
    }  # fmt: skip
    entry = {"id": INSTAGRAM, "time": _seconds(at), "changes": [{"field": "comments", "value": value}]}
    return _bytes({"object": "instagram", "entry": [entry]})


def whatsapp_text(mid: str, user_id: str, phone: str, name: str, text: str, at: datetime) -> bytes:
    """A WhatsApp message, keyed by the business-scoped user id."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": BRAND_PHONE.lstrip("+"), "phone_number_id": PHONE_NUMBER_ID},
        "contacts": [{"profile": {"name": name}, "wa_id": phone, "user_id": user_id}],
        "messages": [
            {"id": mid, "from": phone, "timestamp": str(_seconds(at)), "type": "text", "text": {"body": text}}
        ],
    }
    entry = {"id": "880077", "changes": [{"field": "messages", "value": value}]}
    return _bytes({"object": "whatsapp_business_account", "entry": [entry]})


def telegram_text(update: int, message: int, user: tuple[int, str, str, str], text: str, at: datetime) -> bytes:
    """A private Telegram message to the brand's bot: user is (id, first name, last name, username)."""
    user_id, first, last, username = user
    sender = {"id": user_id, "is_bot": False, "first_name": first, "last_name": last, "username": username}
    chat = {"id": user_id, "type": "private", "first_name": first, "last_name": last}
    body = {"message_id": message, "from": sender, "chat": chat, "date": _seconds(at), "text": text}
    return _bytes({"update_id": update, "message": body})


def discourse_post(
    post: int, topic: int, number: int, user: tuple[int, str, str], text: str, at: datetime, version: int = 1
) -> bytes:
    """A post in the brand's forum; a version above 1 is an edit."""
    user_id, username, name = user
    edited = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _bytes(
        {"post": {
            "id": post, "user_id": user_id, "username": username, "name": name, "created_at": edited,
            "updated_at": edited, "raw": text, "cooked": f"<p>{text}</p>", "post_number": number, "post_type": 1,
            "reply_to_post_number": None, "topic_id": topic, "topic_slug": "tent-pole-snapped",
            "topic_title": "Tent pole snapped on first use", "topic_archetype": "regular", "version": version,
            "staff": False, "admin": False, "moderator": False,
        }}
    )  # fmt: skip


def trustpilot_review(review: str, consumer: tuple[str, str], stars: int, title: str, text: str, at: datetime) -> bytes:
    """A service review."""
    data = {
        "id": review, "language": "en", "title": title, "text": text, "stars": stars, "referenceId": "ORDER-5521",
        "createdAt": format_time(at), "isVerified": True, "link": f"https://api.trustpilot.com/v1/reviews/{review}",
        "consumer": {"id": consumer[0], "name": consumer[1], "link": "https://api.trustpilot.com/v1/consumers/1"},
    }  # fmt: skip
    return _bytes({"events": [{"eventName": "service-review-created", "version": "1", "eventData": data}]})


def twilio_call(sid: str, caller: str, seconds: int, at: datetime) -> bytes:
    """A finished call to the brand's number."""
    return urlencode(
        {
            "CallSid": sid, "AccountSid": "AC" + "0" * 32, "From": caller, "To": BRAND_PHONE, "Direction": "inbound",
            "CallStatus": "completed", "CallDuration": str(seconds), "SequenceNumber": "2", "ApiVersion": "2010-04-01",
            "Timestamp": format_datetime(at), "CallbackSource": "call-progress-events",
        }
    ).encode()  # fmt: skip


def postmark_email(message: str, sender: tuple[str, str], subject: str, text: str, at: datetime) -> bytes:
    """An inbound e-mail."""
    address, name = sender
    return _bytes(
        {
            "FromName": name, "From": address, "FromFull": {"Email": address, "Name": name, "MailboxHash": ""},
            "To": CARE, "ToFull": [{"Email": CARE, "Name": "", "MailboxHash": ""}],
            "OriginalRecipient": CARE, "Subject": subject, "MessageID": message, "MailboxHash": "",
            "Date": format_datetime(at), "TextBody": text, "HtmlBody": "", "StrippedTextReply": "", "Tag": "",
            "Headers": [{"Name": "Message-ID", "Value": f"<{message}@mail.example>"}], "Attachments": [],
            "MessageStream": "inbound",
        }
    )  # fmt: skip

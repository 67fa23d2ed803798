"""Signatures: what a provider signed is let in, and nothing else ever is."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Misconfigured, SignatureInvalid
from connector.mapping.macs import KeySet
from connector.mapping.request import RawRequest
from connector.mapping.schemes import schemes
from connector.mapping.signatures import scheme_problem, secret_problem, verify
from connector.mapping.signing import Draft, Signed, sign

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
URL = "https://connector.example/webhooks/sample"
BODY = '{"text":"Grüße 👩‍👩‍👧 \\u00e9"}'.encode()
FORM = b"From=%2B4915550100&Body=Where+is+my+order%3F&MediaUrl="
FORM_TYPE = "application/x-www-form-urlencoded"
KEY = "whsec_" + b64encode(b"a key of thirty-two bytes exactly").decode()
SECRETS = {"standard_webhooks": KEY, "basic_auth": "hooks:pass:word"}
SIGNABLE = sorted(name for name, scheme in schemes().known.items() if scheme.kind not in {"oidc", "ecdsa"})
BODY_COVERED = [
    name for name in SIGNABLE if schemes().known[name].kind in {"hmac", "standard_webhooks", "twilio", "signed_request"}
]
TIMED = [name for name in BODY_COVERED if schemes().known[name].time_header or schemes().known[name].time_key]


def lets_in(name: str, request: RawRequest, secrets: list[str], now: datetime, keys: KeySet | None = None) -> bool:
    verify(name, request, secrets, now, keys=keys)
    return True


def secret_of(name: str) -> str:
    return SECRETS.get(name, "a-secret")


def signed(name: str, body: bytes | None = None, secret: str | None = None, now: datetime = NOW) -> RawRequest:
    form = schemes().known[name].kind == "mailgun" or name.startswith("twilio")
    payload = b'{"algorithm":"HMAC-SHA256","user_id":"77"}' if name == "meta_signed_request" else FORM if form else BODY
    draft = Draft(URL, payload if body is None else body, FORM_TYPE if form else "application/json")
    return request_of(sign(name, draft, secret or secret_of(name), now))


def request_of(done: Signed) -> RawRequest:
    return RawRequest("POST", done.url, tuple(done.headers.items()), done.body)


@pytest.mark.parametrize("name", SIGNABLE)
def test_what_the_provider_signed_is_let_in(name: str) -> None:
    assert lets_in(name, signed(name), [secret_of(name)], NOW)


@pytest.mark.parametrize("name", SIGNABLE)
def test_both_secrets_work_while_one_is_being_changed(name: str) -> None:
    previous, new = secret_of(name), secret_of(name).replace("a-secret", "b-secret").replace("pass", "word")
    new = "whsec_" + b64encode(b"another key of thirty-two bytes!!").decode() if name == "standard_webhooks" else new
    for used in (previous, new):
        assert lets_in(name, signed(name, secret=used), [new, previous], NOW)


@pytest.mark.parametrize("name", SIGNABLE)
def test_another_secret_is_refused(name: str) -> None:
    other = "whsec_" + b64encode(b"not the key").decode() if name == "standard_webhooks" else "other:secret"
    with pytest.raises(SignatureInvalid):
        verify(name, signed(name), [other], NOW)


@pytest.mark.parametrize("name", sorted(schemes().known))
@pytest.mark.parametrize("secrets", [[], [""]])
def test_a_source_without_a_secret_lets_nobody_in(name: str, secrets: list[str]) -> None:
    with pytest.raises(SignatureInvalid, match="No secret is configured"):
        verify(name, RawRequest("POST", URL, (), BODY), secrets, NOW)


@pytest.mark.parametrize("name", sorted(schemes().known))
def test_a_bare_request_is_refused(name: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify(name, RawRequest("POST", URL, (), BODY), [secret_of(name)], NOW)


@pytest.mark.parametrize("name", BODY_COVERED)
@pytest.mark.parametrize("change", ["appended", "emptied", "one bit"])
def test_a_changed_body_is_refused(name: str, change: str) -> None:
    request = signed(name)
    flipped = request.body[:-1] + bytes([request.body[-1] ^ 1])
    body = {"appended": request.body + b"&x=1", "emptied": b"", "one bit": flipped}[change]
    if name == "meta_signed_request" and change == "appended":
        body = request.body.replace(b"%2E", b".").replace(b".", b".A", 1)
    with pytest.raises(SignatureInvalid):
        verify(name, replace(request, body=body), [secret_of(name)], NOW)


def header_of(name: str) -> str:
    return schemes().known[name].header or "webhook-signature"


HEADED = [
    name for name in SIGNABLE if schemes().known[name].kind in {"hmac", "standard_webhooks", "twilio", "token_header"}
]


@pytest.mark.parametrize("name", HEADED)
@pytest.mark.parametrize(
    "bend",
    [
        lambda value: "",
        lambda value: " ",
        lambda value: value[:-1],
        lambda value: value + "=",
        lambda value: value.swapcase(),
        lambda value: "sha1=" + value.partition("=")[2],
        lambda value: "é" + value,
        lambda value: value.replace("=", "＝"),
        lambda value: "\udcff",
        lambda value: "v1,\x00",
        lambda value: ",=,=,",
        lambda value: "zz" * 5000,
    ],
)
def test_a_bent_signature_is_refused_and_never_an_error(name: str, bend: object) -> None:
    assert callable(bend)
    request = signed(name)
    bent = bend(request.header(header_of(name)))
    if bent == request.header(header_of(name)):
        bent += "0"
    headers = tuple((key, bent if key == header_of(name) else value) for key, value in request.headers)
    with pytest.raises(SignatureInvalid):
        verify(name, replace(request, headers=headers), [secret_of(name)], NOW)


@pytest.mark.parametrize("name", HEADED)
def test_two_signature_headers_are_refused_even_when_one_is_right(name: str) -> None:
    request = signed(name)
    doubled = (*request.headers, (header_of(name).upper(), "junk"))
    with pytest.raises(SignatureInvalid, match="more than once"):
        verify(name, replace(request, headers=doubled), [secret_of(name)], NOW)


@pytest.mark.parametrize("name", HEADED)
def test_header_names_are_compared_without_case(name: str) -> None:
    request = signed(name)
    assert lets_in(
        name, replace(request, headers=tuple((k.title(), v) for k, v in request.headers)), [secret_of(name)], NOW
    )


def test_the_right_mac_of_a_reserialised_body_is_refused() -> None:
    escaped, literal = b'{"t":"\\u00e9"}', '{"t":"é"}'.encode()
    request = signed("meta", escaped)
    with pytest.raises(SignatureInvalid):
        verify("meta", replace(request, body=literal), ["a-secret"], NOW)


@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbf{}", b"{}\r\n", b"\x00", b"\xff\xfe{\x00}\x00"])
def test_any_bytes_can_be_signed(body: bytes) -> None:
    assert lets_in("line", signed("line", body), ["a-secret"], NOW)


@pytest.mark.parametrize("name", [*TIMED, "standard_webhooks", "mailgun"])
@pytest.mark.parametrize("sign_of", [1, -1])
def test_the_window_is_two_sided_and_ends_where_it_says(name: str, sign_of: int) -> None:
    tolerance = schemes().known[name].tolerance
    for seconds, fine in ((tolerance, True), (tolerance + 1, False)):
        later = NOW + timedelta(seconds=seconds * sign_of)
        if fine:
            assert lets_in(name, signed(name), [secret_of(name)], later)
        else:
            with pytest.raises(SignatureInvalid, match="seconds away"):
                verify(name, signed(name), [secret_of(name)], later)


@pytest.mark.parametrize(
    "stated", ["", "now", "1e9", " 1", "+1", "-1", "１７", "99999999999999", "2026-03-04T09:30:00Z"]
)
def test_a_time_that_is_no_number_is_refused(stated: str) -> None:
    from connector.mapping.macs import check_window

    with pytest.raises(SignatureInvalid):
        check_window(stated, NOW, 300)


@pytest.mark.parametrize("name", ["intercom_fin", "hootsuite", "tiktok_shop", "no_such_scheme"])
def test_a_scheme_whose_bytes_are_not_published_is_refused_with_the_reason(name: str) -> None:
    problem = scheme_problem(name)
    assert problem is not None
    assert problem.what
    assert problem.cure
    with pytest.raises(SignatureInvalid):
        verify(name, RawRequest("POST", URL, (), BODY), ["x"], NOW)
    with pytest.raises(Misconfigured):
        sign(name, Draft(URL, BODY), "x", NOW)


# --- delivery ids ----------------------------------------------------------------------------------------------------


def test_the_delivery_id_is_taken_only_where_the_signature_covers_it() -> None:
    draft = Draft(URL, BODY, delivery_id="msg_1")
    assert (
        verify("standard_webhooks", request_of(sign("standard_webhooks", draft, KEY, NOW)), [KEY], NOW).delivery_id
        == "msg_1"
    )
    request = signed("chatwoot")
    unsigned = replace(request, headers=(*request.headers, ("X-Chatwoot-Delivery", "d-1")))
    assert verify("chatwoot", unsigned, ["a-secret"], NOW).delivery_id is None


def test_a_mailgun_token_may_be_used_once_since_the_body_is_not_covered() -> None:
    proof = verify("mailgun", signed("mailgun"), ["a-secret"], NOW)
    assert proof.single_use
    assert proof.delivery_id


# --- Standard Webhooks -----------------------------------------------------------------------------------------------


def with_signature(request: RawRequest, value: str) -> RawRequest:
    return replace(request, headers=tuple((k, value if k == "webhook-signature" else v) for k, v in request.headers))


def test_one_valid_entry_among_several_is_enough() -> None:
    request = signed("standard_webhooks")
    good = request.header("webhook-signature")
    for entries in (f"junk {good}", f"v1, v1,=== {good}", f"{good} v9,abc", f"v1a,xx  {good}"):
        assert lets_in("standard_webhooks", with_signature(request, entries), [KEY], NOW)


def test_svix_headers_count_as_the_same_family() -> None:
    request = signed("standard_webhooks")
    svix = tuple((key.replace("webhook-", "svix-"), value) for key, value in request.headers)
    assert lets_in("standard_webhooks", replace(request, headers=svix), [KEY], NOW)


def test_headers_of_two_families_do_not_mix() -> None:
    request = signed("standard_webhooks")
    mixed = tuple(("svix-id" if key == "webhook-id" else key, value) for key, value in request.headers)
    with pytest.raises(SignatureInvalid):
        verify("standard_webhooks", replace(request, headers=mixed), [KEY], NOW)


def test_ed25519_entries_are_verified_with_the_public_key() -> None:
    private = Ed25519PrivateKey.generate()
    public = "whpk_" + b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    stated = str(int(NOW.timestamp()))
    mac = b64encode(private.sign(f"msg_2.{stated}.".encode() + BODY)).decode()
    headers = (("webhook-id", "msg_2"), ("webhook-timestamp", stated), ("webhook-signature", f"v1a,{mac}"))
    request = RawRequest("POST", URL, headers, BODY)
    assert verify("standard_webhooks", request, [KEY, public], NOW).delivery_id == "msg_2"
    with pytest.raises(SignatureInvalid):
        verify("standard_webhooks", replace(request, body=b"{}"), [public], NOW)
    with pytest.raises(SignatureInvalid):
        verify("standard_webhooks", request, ["whpk_short", KEY], NOW)


# --- Twilio ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["https://connector.example", "https://connector.example:443", "http://[::1]:8080"])
def test_twilio_signs_the_public_address_with_or_without_its_port(address: str) -> None:
    done = sign("twilio", Draft(f"{address}/webhooks/voice?x=1", FORM, FORM_TYPE), "token", NOW)
    assert lets_in("twilio", request_of(done), ["token"], NOW)
    without = done.url.replace(":443", "")
    assert lets_in("twilio", replace(request_of(done), url=without), ["token"], NOW)


def test_twilio_for_another_public_address_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="public URL"):
        verify("twilio", replace(signed("twilio"), url="https://internal:8080/webhooks/sample"), ["a-secret"], NOW)


def test_twilio_json_is_bound_by_its_hash_even_when_it_claims_to_be_a_form() -> None:
    done = request_of(sign("twilio", Draft(URL, BODY, "application/json"), "token", NOW))
    assert lets_in("twilio", done, ["token"], NOW)
    forged = replace(done, body=b"", headers=(*done.headers[1:], ("content-type", FORM_TYPE)))
    for request in (forged, replace(done, body=b"{}"), replace(done, url=URL)):
        with pytest.raises(SignatureInvalid):
            verify("twilio", request, ["token"], NOW)


def test_twilio_blank_and_repeated_fields_are_signed() -> None:
    form = b"Digits=5678&Digits=1234&Digits=1234&Empty="
    request = request_of(sign("twilio", Draft(URL, form, FORM_TYPE), "token", NOW))
    assert lets_in("twilio", request, ["token"], NOW)
    with pytest.raises(SignatureInvalid):
        verify("twilio", replace(request, body=form.replace(b"&Empty=", b"")), ["token"], NOW)


def test_a_shared_key_signature_is_not_taken_for_a_plain_one() -> None:
    with pytest.raises(SignatureInvalid, match="twilio_shared_key"):
        verify("twilio", signed("twilio_shared_key"), ["a-secret"], NOW)
    with pytest.raises(SignatureInvalid):
        verify("twilio_shared_key", signed("twilio"), ["a-secret"], NOW)


# --- the others ------------------------------------------------------------------------------------------------------


def test_sendgrid_is_verified_with_its_public_key() -> None:
    private = generate_private_key(SECP256R1())
    public = b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    stated = str(int(NOW.timestamp()))
    mac = b64encode(private.sign(stated.encode() + BODY, ECDSA(SHA256()))).decode()
    prefix = "X-Twilio-Email-Event-Webhook-"
    request = RawRequest("POST", URL, ((f"{prefix}Signature", mac), (f"{prefix}Timestamp", stated)), BODY)
    assert lets_in("sendgrid_event", request, ["not a key", public], NOW)
    with pytest.raises(SignatureInvalid):
        verify("sendgrid_event", replace(request, body=b"[]"), [public], NOW)
    with pytest.raises(SignatureInvalid):
        verify("sendgrid_event", request, ["not a key"], NOW)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"secret_key":1}', b'{"secret_key":"no"}', b"[" * 100_000, b"\xff"]
)
def test_livechat_needs_its_secret_inside_the_body(body: bytes) -> None:
    assert lets_in("livechat", RawRequest("POST", URL, (), b'{"secret_key":"a-secret"}'), ["a-secret"], NOW)
    with pytest.raises(SignatureInvalid):
        verify("livechat", RawRequest("POST", URL, (), body), ["a-secret"], NOW)


@pytest.mark.parametrize(
    "value", ["Basic", "Basic !!", "Bearer aG9va3M=", "Basic " + b64encode(b"hooks:wrong").decode()]
)
def test_basic_authentication_with_anything_else_is_refused(value: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify("basic_auth", RawRequest("POST", URL, (("authorization", value),), b""), ["hooks:pass"], NOW)


@pytest.mark.parametrize("query", ["", "?token=", "?token=no", "?token=a-secret&token=a-secret", "?Token=a-secret"])
def test_the_token_in_the_address_must_be_there_once_and_right(query: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify("url_token", RawRequest("POST", URL + query, (), b""), ["a-secret"], NOW)


@pytest.mark.parametrize(
    ("payload", "fine"),
    [
        (b'{"algorithm":"HMAC-SHA256","user_id":"77"}', True),
        (b'{"algorithm":"HMAC-SHA256","issued_at":1772616600,"expires":1772616900}', True),
        (b'{"algorithm":"none","user_id":"77"}', False),
        (b'{"user_id":"77"}', False),
        (b'{"algorithm":"HMAC-SHA256","expires":1291840400}', False),
        (b'{"algorithm":"HMAC-SHA256","issued_at":4102444800}', False),
        (b"[]", False),
        (b"not json", False),
    ],
)
def test_a_signed_request_pins_its_algorithm_and_its_time(payload: bytes, fine: bool) -> None:
    request = signed("meta_signed_request", payload)
    if fine:
        assert lets_in("meta_signed_request", request, ["a-secret"], NOW)
    else:
        with pytest.raises(SignatureInvalid):
            verify("meta_signed_request", request, ["a-secret"], NOW)


# --- OpenID Connect --------------------------------------------------------------------------------------------------

RSA: RSAPrivateKey = generate_rsa(65537, 2048)
CLAIMS = {
    "iss": "https://accounts.google.com",
    "aud": URL,
    "email": "push@project.example",
    "email_verified": True,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
}
EXPECTED = f"{URL} push@project.example"


def pubsub(claims: dict[str, object], algorithm: str = "RS256", kid: str = "k1") -> RawRequest:
    key: RSAPrivateKey | str = RSA if algorithm == "RS256" else "a shared secret of thirty-two bytes"
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})
    return RawRequest("POST", URL, (("authorization", f"Bearer {token}"),), BODY)


def test_a_google_token_is_checked_with_the_keys_given() -> None:
    keys = {"k1": RSA.public_key()}
    assert lets_in("google_pubsub", pubsub(CLAIMS), ["other x@y.example", EXPECTED], NOW, keys=lambda: keys)


@pytest.mark.parametrize(
    "request_",
    [
        pubsub(CLAIMS | {"exp": 1}),
        pubsub(CLAIMS | {"iat": int(NOW.timestamp()) + 900}),
        pubsub(CLAIMS | {"aud": "https://elsewhere.example"}),
        pubsub(CLAIMS | {"aud": None}),
        pubsub(CLAIMS | {"email": "someone@else.example"}),
        pubsub(CLAIMS | {"email_verified": "true"}),
        pubsub(CLAIMS | {"iss": "https://evil.example"}),
        pubsub(CLAIMS, algorithm="HS256"),
        pubsub(CLAIMS, kid="k2"),
        RawRequest("POST", URL, (("authorization", "Bearer a.b.c"),), BODY),
        RawRequest("POST", URL, (("authorization", "Basic abc"),), BODY),
    ],
)
def test_any_other_google_token_is_refused(request_: RawRequest) -> None:
    with pytest.raises(SignatureInvalid):
        verify("google_pubsub", request_, [EXPECTED], NOW, keys=lambda: {"k1": RSA.public_key()})


def test_without_keys_no_google_token_is_believed() -> None:
    with pytest.raises(SignatureInvalid, match="keys are not available"):
        verify("google_pubsub", pubsub(CLAIMS), [EXPECTED], NOW)


# --- secrets as configured -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "secret", "fine"),
    [
        ("x", "anything", True),
        ("x", "", False),
        ("standard_webhooks", KEY, True),
        ("standard_webhooks", "whsec_!!", False),
        ("standard_webhooks", "whpk_AAAA", False),
        ("basic_auth", "user", False),
        ("basic_auth", "user:pw", True),
        ("telegram", "with space", False),
        ("telegram", "Abc_-1", True),
        ("google_pubsub", "audience", False),
        ("google_pubsub", EXPECTED, True),
        ("sendgrid_event", "nonsense", False),
        ("no_such_scheme", "x", False),
    ],
)
def test_an_unusable_secret_is_found_before_a_request_comes(name: str, secret: str, fine: bool) -> None:
    assert (secret_problem(name, secret) is None) is fine


# --- hostile input ---------------------------------------------------------------------------------------------------

NAMES = sorted({scheme.header for scheme in schemes().known.values() if scheme.header})
HEADERS = st.sampled_from([
    *NAMES, "webhook-id", "webhook-timestamp", "webhook-signature", "authorization", "content-type",
    "x-chatwoot-timestamp", "x-zendesk-webhook-signature-timestamp", "x-twilio-webhooks-signature-settings",
])  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "sha256=",
            "v1,",
            "v1a,AAAA",
            "t=1,s=2",
            "1772616600",
            "Bearer a.b.c",
            "Basic Og==",
            FORM_TYPE,
            "multipart/form-data; boundary=x",
        ]
    ),
)


@given(
    name=st.sampled_from(sorted(schemes().known)),
    headers=st.lists(st.tuples(HEADERS, VALUES), max_size=6),
    body=st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    ),
    query=st.text(max_size=40),
    secret=st.text(min_size=1, max_size=60),
)
def test_no_bytes_end_in_anything_but_a_refusal(
    name: str, headers: list[tuple[str, str]], body: bytes, query: str, secret: str
) -> None:
    try:
        verify(name, RawRequest("POST", f"{URL}?{query}", tuple(headers), body), [secret], NOW, keys=dict)
    except SignatureInvalid:
        return
    assert name in {"url_token", "telegram"}, "only a plain token can be met by chance"


@pytest.mark.parametrize("url", ["https://connector.example:99999/x", "https://[::1/x", "no address at all"])
def test_an_address_that_is_none_is_signed_as_it_stands(url: str) -> None:
    done = sign("twilio", Draft(url, FORM, FORM_TYPE), "token", NOW)
    assert lets_in("twilio", request_of(done), ["token"], NOW)


def test_a_query_of_a_thousand_fields_holds_no_token() -> None:
    url = f"{URL}?{'a=1&' * 1000}token=a-secret"
    with pytest.raises(SignatureInvalid):
        verify("url_token", RawRequest("POST", url, (), b""), ["a-secret"], NOW)


def test_a_time_can_smuggle_nothing_into_the_signed_bytes() -> None:
    request = signed("chatwoot")
    headers = tuple((key, "{body}" if key == "x-chatwoot-timestamp" else value) for key, value in request.headers)
    with pytest.raises(SignatureInvalid):
        verify("chatwoot", replace(request, headers=headers), ["a-secret"], NOW)


@pytest.mark.parametrize("name", ["google_pubsub", "sendgrid_event"])
def test_what_only_the_provider_can_sign_says_so(name: str) -> None:
    with pytest.raises(Misconfigured, match="provider"):
        sign(name, Draft(URL, BODY), "x", NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 9999])
def test_a_secret_cannot_stand_in_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(Misconfigured, match="JSON object"):
        sign("livechat", Draft(URL, body), "x", NOW)


def test_a_public_key_cannot_sign() -> None:
    with pytest.raises(Misconfigured, match="whsec_"):
        sign("standard_webhooks", Draft(URL, BODY), "whpk_AAAA", NOW)

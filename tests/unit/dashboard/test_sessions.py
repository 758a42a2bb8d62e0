"""Cookies that cannot be forged, forms that cannot be sent from elsewhere, tokens that cannot be guessed."""

import base64

import msgspec
import pytest
from starlette.requests import HTTPConnection

from stockyard.dashboard.access import Access, host_of
from stockyard.dashboard.sessions import FailedSignIns, Session, Sessions, Viewer, is_token, key_of
from stockyard.errors import InvalidOption

TOKEN, OTHER = "a-token-of-the-test", "another-of-the-test"
SESSION = Session("nonce", 1000, ("ada", True))


def test_a_cookie_is_read_until_it_ends() -> None:
    sessions = Sessions(key_of(TOKEN, None))
    cookie = sessions.cookie(SESSION)
    assert sessions.read(cookie, now=999.9) == SESSION
    assert sessions.read(cookie, now=1000) is None
    assert TOKEN not in base64.urlsafe_b64decode(cookie.partition(".")[0]).decode()


def test_a_cookie_that_was_changed_is_none() -> None:
    sessions = Sessions(key_of(TOKEN, None))
    text, _, signature = sessions.cookie(SESSION).partition(".")
    forged = base64.urlsafe_b64encode(msgspec.json.encode(Session("nonce", 10**9, ("eve", True)))).decode()
    for cookie in (None, "", ".", "x.y", f"{forged}.{signature}", f"{text}.{'0' * 64}", f"{text}.ü"):
        assert sessions.read(cookie, now=0) is None


def test_another_token_ends_all_sessions() -> None:
    cookie = Sessions(key_of(TOKEN, None)).cookie(SESSION)
    assert Sessions(key_of(OTHER, None)).read(cookie, now=0) is None
    assert Sessions(key_of(TOKEN, OTHER)).read(cookie, now=0) is None


def test_a_signed_text_that_is_no_session_is_none() -> None:
    sessions = Sessions(b"key")
    for content in (b"[1]", b"null", b"\xff", b"[" * 5000):
        text = base64.urlsafe_b64encode(content).decode()
        assert sessions.read(f"{text}.{sessions._signature('session', text)}", now=0) is None


def test_a_form_belongs_to_one_session() -> None:
    sessions = Sessions(b"key")
    token = sessions.form_token(SESSION)
    assert sessions.is_form_token(token, SESSION)
    assert not sessions.is_form_token(token, Session("other", 1000))
    assert not sessions.is_form_token("", SESSION)
    assert token not in sessions.cookie(SESSION)


def test_no_token_is_none() -> None:
    assert is_token(TOKEN, TOKEN)
    assert not is_token("", None)
    assert not is_token("ü\udc80", TOKEN)


def test_ten_failures_in_a_minute_are_too_many() -> None:
    failures = FailedSignIns()
    for second in range(10):
        assert not failures.are_too_many(second)
        failures.note(second)
    assert failures.are_too_many(59)
    assert not failures.are_too_many(60)


def access(**given: object) -> Access:
    plain = {"token": None, "read_token": None, "authenticate": None, "unprotected": False, "read_only": False}
    return Access(**{"hosts": None, **plain, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "say who may see it"),
        ({"token": TOKEN, "unprotected": True}, "say who may see it"),
        ({"token": TOKEN, "authenticate": lambda _: None}, "say who may see it"),
        ({"token": "short"}, "16 characters or more; got 5"),
        ({"read_token": "short"}, "read_token must have 16"),
        ({"token": TOKEN, "read_token": TOKEN}, "must differ"),
        ({"authenticate": 5}, "authenticate must be a function"),
        ({"unprotected": "yes"}, "unprotected must be True or False"),
    ],
)
def test_access_is_refused_or_said(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        access(**given)


def request(**headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw})


async def test_a_host_s_own_sign_in_decides() -> None:
    async def later(connection: HTTPConnection) -> Viewer | None:
        name = connection.headers.get("x-user")
        return Viewer(name, can_act=name == "ada") if name else None

    own = access(authenticate=later)
    assert (await own.visit(request())).viewer is None
    assert (await own.visit(request(x_user="bob"))).viewer == Viewer("bob", can_act=False)
    assert (await own.visit(request(x_user="ada"))).viewer == Viewer("ada", can_act=True)
    read_only = access(authenticate=later, read_only=True)
    assert (await read_only.visit(request(x_user="ada"))).viewer == Viewer("ada", can_act=False)


def test_a_read_token_signs_in_who_may_only_look() -> None:
    both = access(token=TOKEN, read_token=OTHER)
    acting, looking = both.sign_in(TOKEN, "  Ada \n L "), both.sign_in(OTHER, "")
    assert acting is not None
    assert looking is not None
    assert (acting.viewer, looking.viewer) == (("Ada L", True), ("token", False))
    assert both.sign_in("wrong", "x") is None
    for _ in range(9):
        both.sign_in("wrong", "x")
    with pytest.raises(PermissionError, match="too many"):
        both.sign_in(TOKEN, "Ada")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:8400", "localhost"),
        ("LOCALHOST", "localhost"),
        ("[::1]:80", "[::1]"),
        ("evil.example", "evil.example"),
    ],
)
def test_the_name_of_a_host_header(header: str, host: str) -> None:
    assert host_of(header) == host
    assert access(unprotected=True, hosts=["localhost", "[::1]"]).knows_host(request(host=header)) is (
        host != "evil.example"
    )


def test_a_form_from_another_page_is_refused() -> None:
    open_to_all = access(unprotected=True)
    token = open_to_all.sessions.form_token(SESSION)
    assert open_to_all.is_own_form(request(), token, SESSION)
    assert open_to_all.is_own_form(request(sec_fetch_site="same-origin"), token, SESSION)
    assert not open_to_all.is_own_form(request(sec_fetch_site="cross-site"), token, SESSION)
    assert not open_to_all.is_own_form(request(), "guess", SESSION)

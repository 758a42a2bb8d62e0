"""One function masks secrets, whatever characters they hold and wherever in a text they stand."""

import json
import logging
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stockyard._logging import JsonFormatter, TextFormatter
from stockyard.model.masking import MASK, mask_secrets, mask_value

# What no part of the rest of a text holds, so that a leak can be seen.
MARK = "\N{SNOWMAN}"
PIECES = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=8
)
PASSWORDS = st.tuples(PIECES, PIECES).map(MARK.join).filter(lambda password: "://" not in password)
USERS = st.text(st.sampled_from("abcXYZ019._-"), max_size=6)
SCHEMES = st.sampled_from(
    ["redis", "rediss", "unix", "redis+sentinel", "amqp", "postgresql", "smtp", "smtps", "https"]
)
AFTER = st.sampled_from(
    ["", " did not answer", ": refused", '"', "'", ")", ", next http://127.0.0.1:9400/metrics"]
)


def shown(message: str) -> list[str]:
    record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": "%s", "args": (message,)})
    record.where = {"url": [message]}
    return [
        mask_secrets(message),
        TextFormatter().format(record),
        json.loads(JsonFormatter().format(record))["message"],
        JsonFormatter().format(record),
        str(mask_value({"a": [message]})),
    ]


@given(scheme=SCHEMES, user=USERS, password=PASSWORDS, after=AFTER)
@example("redis", "", f"a/{MARK}", "")
@example("redis", "u", f'"{MARK}"', "")
@example("redis", "u", f"a {MARK}", "")
@example("redis", "", f"{MARK}@{MARK}@", "")
@example("redis", "u", f"6379/0 {MARK}", "")
def test_no_password_of_a_url_is_left(scheme: str, user: str, password: str, after: str) -> None:
    for text in shown(f"no server at {scheme}://{user}:{password}@queue.internal:6379/0{after}"):
        assert MARK not in text
        assert "queue.internal:6379/0" in text


SECRET_NAMES = [
    "password",
    "REDIS_PASSWORD",
    "token",
    "access_token",
    "api_key",
    "apikey",
    "secret",
    "client-secret",
]
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="&\"'\\"), max_size=6
)


@given(name=st.sampled_from(SECRET_NAMES), value=st.tuples(WORDS, WORDS).map(MARK.join))
def test_no_secret_parameter_is_left(name: str, value: str) -> None:
    for text in (
        f"got https://example.org/hook?a=1&{name}={value}&b=2",
        f"{name}={value} b=2",
        f"{name}='{value} {value}' b=2",
        f"{json.dumps({name: value, 'b': '2'}, ensure_ascii=False)}",
        f"{ {name: value, 'b': '2'}!r}",
    ):
        for told in shown(text):
            assert MARK not in told
            assert "b" in told
    assert mask_value({name: value}) == {name: MASK}


TOKENS = st.text(st.sampled_from("abcXYZ019._~+/=-"), min_size=1)


@given(
    kind=st.sampled_from(["Bearer ", "bearer ", "Authorization: Basic ", "authorization: token "]), token=TOKENS
)
def test_no_token_of_a_header_is_left(kind: str, token: str) -> None:
    for told in shown(f"sent {kind}{token}, refused"):
        assert f"{kind}{token}" not in told
        assert f"{kind}{MASK}, refused" in told


@pytest.mark.parametrize(
    "text",
    [
        "no server at redis://localhost:6379/0",
        "redis://me@queue.internal:6379/0 refused",
        "https://example.org/a:b/@user",
        "write to ops@example.org: the password was wrong",
        "see https://example.org, or ask ops@example.org",
        "a key=BTCUSDT of 3 jobs; the token bucket is empty",
    ],
)
def test_the_rest_stays_as_it_is(text: str) -> None:
    assert mask_secrets(text) == text


def test_two_urls_on_a_line_keep_their_hosts() -> None:
    text = "from redis://a:x@one:1/0 to redis://b:y@two:2/0, told ops@example.org"
    assert mask_secrets(text).startswith("from redis://a:***@one:1/0 to redis://b:***@")


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000 + "://", "password" * 100_000, "'token" * 100_000, "://" * 100_000]
)
def test_a_long_text_does_not_hold_up_the_log(text: str) -> None:
    began = time.process_time()
    mask_secrets(text)
    assert time.process_time() - began < 10  # by the square of its length it would be hours

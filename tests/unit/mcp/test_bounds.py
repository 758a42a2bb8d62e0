"""What a tool returns is small and has no secrets, whatever a job holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockyard.mcp.bounds import DEPTH, ITEMS, TEXT, fitting, shown

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner))


def test_a_long_text_says_how_much_is_missing() -> None:
    assert shown("x" * TEXT) == "x" * TEXT
    assert shown("x" * (TEXT + 1_234)) == "x" * TEXT + "… (1,234 more characters)"
    assert shown({"note": "abcdef"}, text=3) == {"note": "abc… (3 more characters)"}


def test_long_lists_and_mappings_say_how_much_is_missing() -> None:
    assert shown(list(range(ITEMS + 7)))[-2:] == [ITEMS - 1, "… 7 more items"]
    assert shown({str(n): n for n in range(ITEMS + 7)})["…"] == "7 more members"


def test_what_is_nested_too_deep_is_counted() -> None:
    value: object = [1, 2, 3]
    for _ in range(DEPTH):
        value = [value]
    assert "(3 items)" in str(shown(value))


@pytest.mark.parametrize(
    "value",
    [
        {"password": "hunter2"},
        {"nested": [{"api_key": "hunter2"}]},
        "redis://user:hunter2@host/0",
        ["Authorization: Bearer hunter2"],
    ],
)
def test_secrets_are_masked(value: object) -> None:
    assert "hunter2" not in str(shown(value))


def test_a_secret_is_masked_before_a_text_is_cut() -> None:
    text = "x" * (TEXT - 12) + " redis://u:hunter2@host/0"
    assert "hunt" not in shown(text)


@given(VALUES)
def test_what_is_small_stays_as_it_is(value: object) -> None:
    small = msgspec.json.decode(msgspec.json.encode(value))
    assert msgspec.json.encode(shown(small)) is not None


def test_rows_end_where_the_reply_is_full() -> None:
    rows = ["x" * 98] * 10
    assert fitting(rows, room=1_020) == (rows, 0)
    assert fitting(rows, room=510) == (rows[:5], 5)
    assert fitting(["x" * 5_000, "y"], room=1_000) == ([], 2)

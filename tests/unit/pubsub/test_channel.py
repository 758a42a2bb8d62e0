"""What a channel can be declared as."""

from typing import Any

import pytest

from stockyard import Channel, InvalidOption


def test_a_durable_channel_has_bounds_unless_told_otherwise() -> None:
    channel = Channel("fills", int, durable=True)
    assert (channel.keep_ms, channel.max_len, channel.attempts, channel.idle_ms) == (
        86_400_000,
        100_000,
        5,
        30_000,
    )
    channel = Channel("fills", int, durable=True, keep=None, max_len=None, attempts=1, idle="1s")
    assert (channel.keep_ms, channel.max_len, channel.attempts, channel.idle_ms) == (None, None, 1, 1000)


@pytest.mark.parametrize("name", ["prices", "prices:BTC-USDT", "a.b_c:d:1"])
def test_names_that_can_be(name: str) -> None:
    assert Channel(name).name == name


@pytest.mark.parametrize("name", ["", ":a", "a:", "a::b", "a b", "a*", "\u00e9", 5, None])
def test_names_that_cannot_be(name: Any) -> None:
    with pytest.raises(InvalidOption, match="a channel's name must be"):
        Channel(name)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"durable": True, "keep": 0}, "keep must be 1 ms or longer"),
        ({"durable": True, "keep": "long"}, "keep must be a duration"),
        ({"durable": True, "max_len": 0}, "max_len must be a whole number"),
        ({"durable": True, "max_len": True}, "max_len must be a whole number"),
        ({"durable": True, "attempts": 0}, "attempts must be a whole number"),
        ({"durable": True, "idle": "50ms"}, "idle must be 100 ms or longer"),
        ({"durable": True, "atempts": 3}, "did you mean 'attempts'"),
        ({"keep": "1h"}, "keep needs durable=True"),
        ({"on_invalid": "print"}, "on_invalid must be a function"),
    ],
)
def test_options_are_checked(options: Any, complaint: str) -> None:
    with pytest.raises(InvalidOption, match=complaint):
        Channel("c", int, **options)


def test_the_same_declaration_is_the_same_channel() -> None:
    assert Channel("c", int) == Channel("c", int)
    assert hash(Channel("c", int)) == hash(Channel("c", int))
    assert Channel("c", int) != Channel("c", str)
    assert Channel("c", int) != Channel("c", int, durable=True)
    assert Channel("c", int) != "c"
    assert repr(Channel("c", int, durable=True)) == "<Channel 'c' of int, durable>"


def test_a_declared_channel_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"Channel\.durable is fixed once it is made"):
        Channel("c").durable = True

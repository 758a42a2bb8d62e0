"""Which slot of a cluster a command belongs to."""

from typing import Any

import pytest

from stockyard._store.net.slots import SLOTS, key_of, slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("123456789", 12739),
        ("foo", 12182),
        ("bar", 5061),
        (b"foo", 12182),
        ("{foo}:wait", 12182),
        ("bull:{foo}:{bar}", 12182),
        ("", 0),
    ],
)
def test_known_slots(key: str | bytes, slot: int) -> None:
    assert slot_of(key) == slot


def test_without_a_tag_the_whole_key_counts() -> None:
    assert slot_of("foo{}{bar}") not in (slot_of("foo"), slot_of("bar"))
    assert slot_of("foo{bar") not in (slot_of("foo"), slot_of("bar"))
    assert all(0 <= slot_of(f"key{number}") < SLOTS for number in range(1000))


def test_a_key_that_is_no_text_has_a_slot() -> None:
    assert slot_of(b"{foo}\xff") == 12182
    assert 0 <= slot_of(b"\xff\xfe") < SLOTS


@pytest.mark.parametrize(
    "command",
    [
        *(
            (verb, "k")
            for verb in ("BZPOPMIN", "DEL", "EXISTS", "GET", "HDEL", "HEXISTS", "HGET", "HGETALL", "HMGET")
        ),
        *((verb, "k") for verb in ("HSCAN", "HSET", "HVALS", "LLEN", "LRANGE", "LTRIM", "PTTL", "SSCAN", "TYPE")),
        *((verb, "k") for verb in ("UNLINK", "XACK", "XDEL", "XLEN", "XRANGE", "XREVRANGE", "XTRIM", "ZCARD")),
        *((verb, "k") for verb in ("ZCOUNT", "ZRANGE")),
        ("XGROUP", "DESTROY", "k", "g"),
        ("XINFO", "STREAM", "k"),
        ("MEMORY", "USAGE", "k"),
        ("OBJECT", "ENCODING", "k"),
        ("XREAD", "COUNT", 1, "BLOCK", 5, "STREAMS", "k", "0-0"),
        ("XREADGROUP", "GROUP", "g", "me", "STREAMS", "k", ">"),
        ("EVALSHA", "sha", 2, "k", "other", "argument"),
        ("EVALSHA_RO", "sha", "1", "k"),
        ("EVAL_RO", "return 1", 1, "k"),
    ],
    ids=lambda command: command[0],
)
def test_the_first_key_of_a_command(command: Any) -> None:
    assert key_of(command) == "k"


@pytest.mark.parametrize(
    "command",
    [
        *((verb,) for verb in ("ACL", "ASKING", "DBSIZE", "EXEC", "FLUSHALL", "HELLO", "INFO", "MULTI", "PING")),
        *((verb, "x") for verb in ("CLIENT", "CLUSTER", "PUBLISH", "SCAN", "SCRIPT", "SLOWLOG", "SUBSCRIBE")),
        ("TIME",),
        ("EVALSHA", "sha", 0, "channel"),
    ],
    ids=lambda command: command[0],
)
def test_any_node_answers_what_has_no_key(command: Any) -> None:
    assert key_of(command) is None

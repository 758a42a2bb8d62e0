"""Constants and small functions are written out, and only where that changes nothing."""

import pytest

from stockyard._store.inlining import inlined, with_constants


def test_constants_are_written_out() -> None:
    text = (
        "local LIMIT = 3\nlocal NAME = 'a'\nif x.LIMIT > LIMIT then return {NAME, MISSING, 'LIMIT'} end -- LIMIT\n"
    )
    assert (
        with_constants(text, {"MISSING": "-1"}) == "if x.LIMIT > 3 then return {'a', -1, 'LIMIT'} end -- LIMIT\n"
    )


@pytest.mark.parametrize(
    ("function", "call", "written"),
    [
        ("f(a)\n  redis.call('DEL', a)", "f(key)", "redis.call('DEL', key)"),
        (
            "f(a) return redis.call('ZREM', a.set, 1) == 1",
            "if f(keys) then",
            "if (redis.call('ZREM', keys.set, 1) == 1) then",
        ),
        (
            "f(a)\n  return redis.call('ZREM', a, 1) == 1",
            "f(keys.set)",
            "local _ = redis.call('ZREM', keys.set, 1) == 1",
        ),
        (
            "f(a, b)\n  redis.call('SET', a, b)",
            "f(x, g(y, {1, 2}) or ',')",
            "redis.call('SET', x, g(y, {1, 2}) or ',')",
        ),
        ("f(a, ...)\n  redis.call('ZREM', a, ...)", "f(set, unpack(ids))", "redis.call('ZREM', set, unpack(ids))"),
        (
            "f(a, ...)\n  return redis.call('HMGET', a, 'x', ...)",
            "local r = f(job)",
            "local r = redis.call('HMGET', job, 'x')",
        ),
        (
            "f(a, b) return redis.call('GET', b or a)",
            "local r = f('x')",
            "local r = redis.call('GET', nil or 'x')",
        ),
        (
            "f(a)\n  return redis.call('GET', a)",
            "local r = f(f(x))",
            "local r = redis.call('GET', redis.call('GET', x))",
        ),
    ],
)
def test_a_small_function_is_written_out(function: str, call: str, written: str) -> None:
    assert inlined(f"-- What for.\n\n-- Small.\nlocal function {function}\nend\n\n{call}\n").endswith(
        f"\n\n{written}\n"
    )


@pytest.mark.parametrize(
    ("function", "call"),
    [
        # It is handed on.
        ("f(a)\n  return redis.call('GET', a)", "pcall(f, a)"),
        # It captures what may mean something else where it is called.
        ("f(a)\n  return redis.call('GET', a .. base)", "f(x)"),
        # The argument would be read twice, or not at all.
        ("f(a)\n  return redis.call('GET', a .. a)", "f(g(x))"),
        ("f(a, b) return redis.call('GET', a) or b", "local r = f(x, g(y))"),
        # It returns nothing.
        ("f(a)\n  redis.call('GET', a)", "local r = f(x)"),
        # It is more than one expression.
        ("f(a)\n  redis.call('GET', a)\n  redis.call('DEL', a)", "f(x)"),
        ("f(a)\n  if a then return 1 end", "f(x)"),
        ("f(a)\n  local b = a\n  return b", "local r = f(x)"),
    ],
)
def test_another_stays(function: str, call: str) -> None:
    text = f"local function {function}\nend\n\n{call}\n"
    assert inlined(text) == text


def test_one_within_another_is_written_out_first() -> None:
    text = (
        "local function low(a)\n  return redis.call('GET', a)\nend\n\n"
        "local function high(a) return low(a.key) or 0 end\n\n"
        "-- Stays.\nlocal function keep(a)\n  if a then return high(a) end\nend\n\nreturn keep(x)\n"
    )
    body = "  if a then return (redis.call('GET', a.key) or 0) end"
    assert inlined(text).strip() == f"-- Stays.\nlocal function keep(a)\n{body}\nend\n\nreturn keep(x)"

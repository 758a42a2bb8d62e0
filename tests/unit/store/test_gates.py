"""The Lua that asks what may keep jobs from being taken."""

import pytest

from stockyard._store.composing import ScriptError, parts
from stockyard._store.gates import gates_text
from stockyard._store.jobs.finishing import TakeRequest, finish_script
from stockyard._store.scripts import load, names

HALTED = """-- A halted queue starts nothing.

local function halted_gate(halted)
  return halted
end
"""
FEW = """-- A few at a time.

local function few_gate(taking, request, fewest, most)
  taking.room = math.min(taking.room, most)
end

local function few_started(keys, number)
  redis.call('INCRBY', keys.few, number)
end
"""


def test_gates_are_asked_in_their_order_with_what_their_parameters_name() -> None:
    assert gates_text({"halted": HALTED, "few": FEW}).splitlines() == [
        "-- What may keep jobs from being taken: halted, few.",
        "",
        "-- Returns what the gates note: `room`, how many jobs may start; `limited`, for how many ms none may.",
        "local function pass_gates(keys, request)",
        "  local taking = {room = request.take, limited = 0}",
        "  local halted, fewest, most =",
        "    unpack(redis.call('HMGET', keys.meta, 'halted', 'fewest', 'most'))",
        "  if halted_gate(halted) then",
        "    taking.room = 0",
        "    return taking",
        "  end",
        "  few_gate(taking, request, fewest, most)",
        "  return taking",
        "end",
        "",
        "local function note_started(keys, taking, number)",
        "  few_started(keys, number)",
        "end",
    ]


def test_without_gates_nothing_is_read() -> None:
    assert "redis" not in gates_text({})


def test_a_queue_without_a_rate_runs_a_script_that_knows_none() -> None:
    plain = finish_script(TakeRequest(1, "w:1", 30_000))
    assert plain.gates == ("paused", "concurrency", "window")
    assert not {"rate_gate", "limit_max"} & set(plain.text.replace("(", " ").replace(".", " ").split())
    rated = finish_script(TakeRequest(1, "w:1", 30_000, limit_max=5, limit_window=1000))
    assert rated.gates == ("paused", "concurrency", "rate", "window")
    assert (rated.keys, rated.args, rated.plain_name) == (plain.keys, plain.args, plain.name)


def test_each_combination_of_optional_gates_is_a_script() -> None:
    assert [name for name in names() if name.startswith("finishing.")] == [
        "finishing.finish",
        "finishing.finish+rate",
    ]


@pytest.mark.parametrize("name", ["finishing.finish+nothing", "finishing.finish+window", "adding.add+rate"])
def test_a_gate_that_is_not_optional_there_is_refused(name: str) -> None:
    with pytest.raises(ScriptError, match="its optional gates are"):
        assert load(name).body


def test_a_gate_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ScriptError, match="there is no gate 'nothing'"):
        parts(("nothing",))

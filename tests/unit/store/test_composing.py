"""Parts are sorted by what they need, and a script carries only what it uses."""

import pytest

from stockyard._store import composing
from stockyard._store.composing import Part, ScriptError, assemble, parts, sorted_parts, written_out
from stockyard._wire.codes import ReplyCode
from stockyard._wire.keys import SUFFIXES
from stockyard._wire.own_keys import ARRANGING, EFFECTS, HALTS, KEYS

PARTS = {
    "low": Part("low", (), "-- Low.\n\nlocal LIMIT = 3\n\n-- Used.\nlocal function low()\n  return LIMIT\nend\n"),
    "middle": Part(
        "middle",
        ("low",),
        "-- Middle.\n\nlocal function idle() return low() end\n\nlocal function middle()\n  return low()\nend\n",
    ),
    "top": Part(
        "top", ("middle", "low"), "-- Top.\n\nlocal function top(keys)\n  return middle(keys.wait)\nend\n"
    ),
    "left": Part("left", ("right",), "-- Left.\n"),
    "right": Part("right", ("left",), "-- Right.\n"),
}


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "parts", lambda gates=(): PARTS)


def test_each_part_comes_behind_what_it_needs() -> None:
    assert [part.name for part in sorted_parts(("top", "low"), "script")] == ["low", "middle", "top"]


@pytest.mark.parametrize(
    ("needs", "message"), [(("gone",), "script needs 'gone'"), (("left",), "left -> right -> left")]
)
def test_a_wrong_need_is_refused(needs: tuple[str, ...], message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        sorted_parts(needs, "script")


def test_what_nothing_uses_is_left_out() -> None:
    text = assemble(("top",), (), (), "return top({})\n", "script")
    assert "idle" not in text
    assert text.index("local LIMIT") < text.index("function low") < text.index("function middle")
    assert "-- Used.\nlocal function low" in text
    assert "function" not in assemble(("top",), (), (), "return 1\n", "script")


def test_a_script_has_the_names_that_it_uses() -> None:
    body = "if redis.call('EXISTS', job .. LOCK) == 0 then return JOB_MISSING end\n"
    text = assemble((), ("wait", "active"), ("job",), body, "script")
    assert text == f"local wait, active = KEYS[1], KEYS[2]\nlocal job = ARGV[1]\n\n{body}"
    code = ReplyCode.JOB_MISSING.value
    assert written_out(text).endswith(f"if redis.call('EXISTS', job .. ':lock') == 0 then return {code} end\n")


def test_the_keys_that_parts_read_go_into_a_table() -> None:
    needs = ("top",)
    assert "local keys = {wait = wait}\n" in assemble(
        needs, ("wait", "active"), ("base",), "top(keys)\n", "script"
    )
    every = assemble(needs, ("wait", "active"), ("base",), "top(keys, keys[base])\n", "script")
    assert "local keys = {base = base, wait = wait, active = active}\n" in every


def test_every_key_of_a_queue_but_those_of_effects_and_keys_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    text = parts()["queue_keys"].text
    assert all(
        (f"{name} = '{suffix}'" in text) != (name in {**EFFECTS, **ARRANGING, **HALTS, **KEYS})
        for name, suffix in SUFFIXES.items()
    )

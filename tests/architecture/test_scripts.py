"""Every Lua script says what it is, what it is given and what it answers, and uses all of it."""

import re
from pathlib import Path

import pytest

from stockyard._store import scripts
from stockyard._wire.keys import SUFFIXES
from tests.architecture.repository import SOURCE

LUA = SOURCE / "_store" / "lua"
_BARE = re.compile(r"(?:\breturn|\band|\bor|[={,])\s*-\d")
_STEP = re.compile(r"^\s*for \w+ = .*, -1 do")
_NAMED = re.compile(r"^\s*local [A-Z_]+(?:, [A-Z_]+)* = ")
KEYSPACE = re.compile(r"\bKEYS\b|\bARGV\b")


def test_there_is_a_python_module_for_every_folder() -> None:
    folders = {path.name for path in LUA.iterdir()} - {"lib"}
    assert folders == {path.stem for path in (SOURCE / "_store").glob("*.py")} & folders
    assert {name.partition(".")[0] for name in scripts.names()} == folders


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_has_a_whole_header(name: str) -> None:
    script = scripts.load(name)
    assert script.purpose.endswith(".")
    assert script.returns, "its header has no 'returns'"
    assert set(script.keys) <= set(SUFFIXES)
    assert len(set(script.keys + script.args)) == len(script.keys + script.args), "a name is given twice"


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_uses_what_its_header_names(name: str) -> None:
    script = scripts.load(name)
    code = _without_comments(script.body)
    unused = [each for each in script.keys + script.args if not re.search(rf"\b{each}\b", code)]
    assert unused == []
    functions = {part: _functions((LUA / "lib" / f"{part}.lua").read_text()) for part in script.parts}
    needed = _without_comments(script.text)
    idle = [part for part, names in functions.items() if not any(_uses(needed, each) > 1 for each in names)]
    assert idle == []


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_knows_keys_and_arguments_by_name_alone(name: str) -> None:
    assert KEYSPACE.findall(_without_comments(scripts.load(name).body)) == []


@pytest.mark.parametrize("path", sorted(LUA.rglob("*.lua")), ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_negative_number_has_a_name(path: Path) -> None:
    assert bare_negatives(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "return -1",
        "return {-5, number}",
        "return held and -6 or 0",
        "codes[at] = -5",
        "if code ~= -7 then return end",
    ],
)
def test_a_bare_negative_number_is_noticed(line: str) -> None:
    assert bare_negatives(line) == [line]


@pytest.mark.parametrize("path", sorted((LUA / "lib").glob("*.lua")), ids=lambda path: path.stem)
def test_a_part_says_what_it_is_for_and_is_used(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- ")
    assert KEYSPACE.findall(_without_comments(text)) == []
    assert any(path.stem in scripts.load(name).parts for name in scripts.names())


def bare_negatives(text: str) -> list[str]:
    """Return the lines that answer or compare a negative number without a name, which a code has."""
    code = _without_comments(text)
    lines = [re.sub(r"redis\.p?call\(.*", "", line) for line in code.splitlines()]
    return [
        line.strip() for line in lines if _BARE.search(line) and not _STEP.search(line) and not _NAMED.match(line)
    ]


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def _functions(text: str) -> list[str]:
    return re.findall(r"^local function (\w+)", text, re.M)


def _uses(text: str, name: str) -> int:
    return len(re.findall(rf"\b{name}\b", text))

"""Every Lua script says what it is, what it is given and what it answers, and uses all of it."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from stockyard._store import composing, scripts
from stockyard._store.composing import Part
from stockyard._wire.keys import SUFFIXES
from tests.architecture.repository import SOURCE

LUA = SOURCE / "_store" / "lua"
OWN_LINES, COMPOSED_LINES, FUNCTIONS_A_CALL = 150, 700, 55
"""Lines of code: of a script alone what a reader can take, with its parts what the server reads once. The server
makes every function at each call, but for those inside of one that is not called."""

COMBINATIONS = 16
"""Scripts that one becomes by its optional gates."""

_MOVES = (
    "LINSERT LMOVE LMPOP LPOP LPUSH LPUSHX LREM LSET LTRIM RENAME RENAMENX RPOP RPOPLPUSH RPUSH RPUSHX ZADD "
    "ZINCRBY ZMPOP ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE"
).replace(" ", "|")
_NO_STATES = (
    r"keys\.marker",
    "repeat_set",
    "job .. LOGS",
    r"(job|parent) .. UNSUCCESSFUL",
    # How many jobs ended in each minute; the history of alerts; the budget of caches; which limits were used.
    "points",
    "history",
    r"base .. ':(lru|expiry)'",
    r"base .. 'paths'",
    r"keys\.lines",
    "members",
    # Coalescing keys, by when each is looked at, and what the jobs of one are.
    "of_key",
    r"(batch\.)?base .. COALESCED(_DUE| .. given\.key)",
    # Jobs that a halt of their key delayed; failures that a circuit breaker counts.
    r"held|breaker_failures",
    # Effects by what became of them.
    r"(keys\.)?effects_(open|unknown|settled)|filed",
    # Lines of keys: what waits there is in no state of BullMQ. The keys that have one.
    r"base .. KEY_LINE .. key",
    r"(keys\.)?keys_lines",
    # Jobs by values of their payloads, for searches.
    r"base .. INDEX .. path",
)

_LUA = {
    "and",
    "error",
    "function",
    "if",
    "in",
    "ipairs",
    "next",
    "not",
    "or",
    "pairs",
    "pcall",
    "return",
    "select",
}
_LUA |= {"setmetatable", "tonumber", "tostring", "type", "unpack", "until", "while", "elseif"}
_BARE = re.compile(r"(?:\breturn|\band|\bor|[={,])\s*-\d")
_STEP = re.compile(r"^\s*for \w+ = .*, -1 do")
_NAMED = re.compile(r"^\s*local [A-Z_]+(?:, [A-Z_]+)* = ")
KEYSPACE = re.compile(r"\bKEYS\b|\bARGV\b")


def test_the_folders_of_scripts_are_those_of_the_python_modules() -> None:
    folders = {source.parent.relative_to(LUA) for source in LUA.rglob("*.lua")}
    own = {folder for folder in folders if folder.parts[0] != "lib"}
    assert own == {folder for folder in own if (SOURCE / "_store" / folder).with_suffix(".py").is_file()}
    assert {name.partition(".")[0] for name in scripts.names()} == {folder.name for folder in own}
    assert len({folder.name for folder in own}) == len(own), "a script is known by its folder's name and its own"


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_has_a_whole_header(name: str) -> None:
    script = scripts.load(name)
    assert script.purpose.endswith(".")
    assert script.returns, "its header has no 'returns'"
    assert set(script.keys) <= set(SUFFIXES) or script.keys == (composing.HOME,)
    assert len(set(script.keys + script.args)) == len(script.keys + script.args), "a name is given twice"


def test_a_script_that_writes_names_a_key() -> None:
    # Or a cluster would not know where to run it, nor that it must not begin it in the middle of a move.
    without = [name for name in scripts.names() if not scripts.load(name).keys]
    assert without == ["broadcast.publish", "broadcast.publish_in_slot"]
    assert "redis.call('PUBLISH'" in scripts.load("broadcast.publish").body
    assert "redis.pcall('SPUBLISH'" in scripts.load("broadcast.publish_in_slot").body


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_uses_what_its_header_names(name: str) -> None:
    script = scripts.load(name)
    code = _without_comments(script.body)
    handed_on = _without_comments(script.source) if re.search(r"\bkeys\b", code) else ""
    named = tuple(key for key in script.keys if key != composing.HOME) + script.args
    assert [each for each in named if not _uses(code, each) and f"keys.{each}" not in handed_on] == []


def test_a_script_names_the_parts_that_it_uses_itself() -> None:
    found = {
        name: misnamed_needs(scripts.load(name).body, scripts.load(name).needs, composing.parts())
        for name in scripts.names()
    }
    assert {name: needs for name, needs in found.items() if needs} == {}


def test_a_part_names_the_parts_that_it_uses_itself() -> None:
    parts = composing.parts()
    found = {name: misnamed_needs(part.text, part.needs, parts) for name, part in parts.items()}
    assert {name: needs for name, needs in found.items() if needs} == {}


def test_a_misnamed_need_is_noticed() -> None:
    parts = {
        "low": Part("low", (), "-- Low.\n\nlocal function low() end\n"),
        "high": Part("high", ("low",), "-- High.\n\nlocal function high() low() end\n"),
    }
    assert misnamed_needs("high()", ("high",), parts) == []
    assert misnamed_needs("high()", ("high", "low"), parts) == ["low is not used"]
    assert misnamed_needs("high() low()", ("high",), parts) == ["low is not named"]


def test_every_function_that_is_called_is_defined_above() -> None:
    found = {
        name: undefined_calls(scripts.load(name).source) + undefined_calls(scripts.load(name).text)
        for name in scripts.names()
    }
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_a_call_of_what_is_not_there_is_noticed() -> None:
    text = "local function early() late() end\nlocal function late() early() end\nlate() missing('gone()')"
    assert undefined_calls(text) == ["late", "missing"]


def test_only_transitions_move_jobs_between_states() -> None:
    found = {
        str(path.relative_to(LUA)): moves(path.read_text())
        for path in LUA.rglob("*.lua")
        if path.stem not in ("transitions", "bulk_transitions")
    }
    assert found
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "redis.call('LPUSH', keys.wait, id)",
        "redis.call(to_front and 'RPUSH' or 'LPUSH', wait, id)",
        "if redis.call('ZREM', base .. 'delayed', id) == 1 then",
        "redis.pcall('LREM', list, 0, '')",
        "redis.call('ZADD', set, moment, id)",
        "redis.call('RENAME', paused, wait)",
    ],
)
def test_a_move_beside_transitions_is_noticed(line: str) -> None:
    assert len(moves(line)) == 1


def test_no_two_parts_give_a_name_to_different_things() -> None:
    seen: dict[str, str] = {}
    for part in composing.parts().values():
        for name in set().union(*map(composing.defined_by, composing.chunks_of(part.text))):
            assert seen.setdefault(name, part.name) == part.name, f"{name}: {seen[name]}, {part.name}"


@pytest.mark.parametrize("name", scripts.names())
def test_a_composed_script_is_bounded(name: str) -> None:
    script = scripts.load(name)
    assert _size(script.body) <= OWN_LINES
    assert _size(script.text) <= COMPOSED_LINES
    assert len(re.findall(r"^(?:local )?function\b", script.text, re.MULTILINE)) <= FUNCTIONS_A_CALL


@pytest.mark.skipif(shutil.which("luacheck") is None, reason="no luacheck found: run `make luacheck` first")
def test_luacheck_finds_nothing_in_what_the_server_runs(tmp_path: Path) -> None:
    for name in scripts.names():
        (tmp_path / f"{name}.lua").write_text(scripts.load(name).text)
    assert luacheck(tmp_path) == ""


@pytest.mark.skipif(shutil.which("luacheck") is None, reason="no luacheck found: run `make luacheck` first")
def test_luacheck_notices_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.lua").write_text("local function idle() end\nreturn redis.call('GET', missing)")
    report = luacheck(tmp_path)
    assert "unused function 'idle'" in report
    assert "undefined variable 'missing'" in report


def test_a_script_knows_keys_and_arguments_by_name_alone() -> None:
    found = {name: KEYSPACE.findall(_without_comments(scripts.load(name).body)) for name in scripts.names()}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_a_negative_number_has_a_name() -> None:
    found = {str(path.relative_to(LUA)): bare_negatives(path.read_text()) for path in LUA.rglob("*.lua")}
    assert found
    assert {path: lines for path, lines in found.items() if lines} == {}


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


@pytest.mark.parametrize("path", sorted((LUA / "lib").rglob("*.lua")), ids=lambda path: path.stem)
def test_a_part_says_what_it_is_for_and_is_used(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- ")
    assert KEYSPACE.findall(_without_comments(text)) == []
    used = "".join(scripts.load(name).source for name in scripts.names() if path.stem in scripts.load(name).parts)
    definitions = composing.chunks_of(composing.parts()[path.stem].text)
    assert [each for each in definitions if each not in used] == []


def misnamed_needs(text: str, needs: tuple[str, ...], parts: Mapping[str, Part]) -> list[str]:
    """Return which parts are named and not used by these lines, and which are used and not named."""
    code = re.sub(r"'[^']*'", "''", _without_comments(text))
    own = set(re.findall(r"local function (\w+)", code))

    def is_used(part: Part) -> bool:
        names = set().union(*map(composing.defined_by, composing.chunks_of(part.text))) - own
        return any(re.search(rf"(?<![.\w]){name}\b(?! = )", code) for name in names)

    reached, open_ = set(needs), list(needs)
    while open_:
        fresh = set(parts[open_.pop()].needs) - reached
        reached |= fresh
        open_ += fresh
    wrong = [f"{each} is not used" for each in needs if not is_used(parts[each])]
    return wrong + [f"{each} is not named" for each in sorted(reached - set(needs)) if is_used(parts[each])]


def moves(text: str) -> list[str]:
    """Return the calls that may change a list or a sorted set of a queue: all but those of keys that are none."""
    calls = re.finditer(rf"redis\.p?call\(([^,]*'(?:{_MOVES})'[^,]*), ([^,)]*)", _without_comments(text))
    return [call[0] for call in calls if not any(re.fullmatch(key, call[2]) for key in _NO_STATES)]


def undefined_calls(text: str) -> list[str]:
    """Return the functions that a text calls before they are defined, or that are defined nowhere."""
    code = re.sub(r"'[^']*'", "''", _without_comments(text))
    missing = set()
    for call in re.finditer(r"(?<![.:\w])(\w+)\(", code):
        name = call[1]
        before = code[: call.start()]
        known = re.search(rf"local (?:function {name}\(|[\w, ]*\b{name}\b)|function \w*\([^)]*\b{name}\b", before)
        if name not in _LUA and not before.endswith("function ") and not known:
            missing.add(name)
    return sorted(missing)


@pytest.mark.parametrize("path", sorted((LUA / "lib" / "gates").glob("*.lua")), ids=lambda path: path.stem)
def test_a_gate_is_asked_by_a_script_and_by_no_part(path: Path) -> None:
    assert any(path.stem in scripts.load(name).gates for name in scripts.names())
    assert composing.parts((path.stem,))["gates"].text.count(f"{path.stem}_gate(") == 1
    assert [part.name for part in composing.parts().values() if path.stem in part.needs] == []


def test_optional_gates_are_few() -> None:
    combinations = Counter(scripts.load(name).plain_name for name in scripts.names())
    assert max(combinations.values()) <= COMBINATIONS


def luacheck(folder: Path) -> str:
    """Return what luacheck says of the Lua in a folder: nothing when all is well."""
    command = [
        "luacheck",
        "--no-color",
        "--quiet",
        "--codes",
        "--std",
        "lua51",
        "--no-max-line-length",
        "--ignore",
        "581",
    ]
    # 581: a comparison that a small function answers is negated as it stands.
    names = ["--read-globals", "redis", "cjson", "cmsgpack", "struct", "KEYS", "ARGV"]
    checked = subprocess.run([*command, *names, "--", str(folder)], capture_output=True, text=True, check=False)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr


def _size(text: str) -> int:
    return sum(1 for line in _without_comments(text).splitlines() if line.strip())


def bare_negatives(text: str) -> list[str]:
    """Return the lines that answer or compare a negative number without a name, which a code has."""
    code = _without_comments(text)
    lines = [re.sub(r"redis\.p?call\(.*", "", line) for line in code.splitlines()]
    return [
        line.strip() for line in lines if _BARE.search(line) and not _STEP.search(line) and not _NAMED.match(line)
    ]


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def _uses(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None

"""Loads the Lua scripts by name: reads their headers, and has their texts composed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from stockyard._aio.cached_property import CachedProperty
from stockyard._store import text_cache
from stockyard._store.composed_script import ComposedScript
from stockyard._store.composing import HOME, ScriptError, assemble, lua_root, sorted_parts, written_out
from stockyard._wire.keys import SUFFIXES

_FIELD = re.compile(r"^-- (needs|gates|choices|keys|args|returns):\s*(.*)$")
_OPTIONAL = re.compile(r"\[(\w+)\]")
_CHOICE = re.compile(r"^ *-- only (\w+):\n(.*?)^ *-- end \1\n", re.MULTILINE | re.DOTALL)


_READS = frozenset(
    (
        "EXISTS GET GETRANGE HEXISTS HGET HGETALL HLEN HMGET HSCAN LINDEX LLEN LPOS LRANGE PTTL SCARD SISMEMBER "
        "SMEMBERS SMISMEMBER SSCAN STRLEN TIME XINFO XLEN XPENDING XRANGE XREVRANGE ZCARD ZCOUNT ZRANGE ZRANK "
        "ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCAN ZSCORE"
    ).split()
)
_ARGUMENTS = frozenset("BYSCORE CONSUMERS COUNT GROUPS LIMIT MAXLEN RANK REV STREAM WITHSCORES".split())
_WORD = re.compile(r"'([A-Z][A-Z_]+)'")


class Script:
    """One script; its file is read, and its text composed, when that is first asked for.

    Attributes:
        name: ``module.script``, as in ``finishing.finish``, with its optional gates, or what it was chosen to do:
            ``finishing.finish+rate``.
        purpose: its first line.
        needs: shared parts from ``lua/lib`` that its own lines use.
        gates: what may keep jobs from being taken, in order; parts, too.
        keys: names of its keys in order; see ``_wire.keys.SUFFIXES``. ``home`` names a slot of a cluster alone.
        args: names of its arguments in order.
        returns: what it answers.
        body: its own lines.
    """

    purpose: str
    needs: tuple[str, ...]
    gates: tuple[str, ...]
    keys: tuple[str, ...]
    args: tuple[str, ...]
    returns: str
    body: str

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        # Asked for what is not there yet. A program that starts has some hundred scripts, and runs a few of them.
        if name not in Script.__annotations__:
            raise AttributeError(f"a script has no {name!r}")
        vars(self).update(_header_of(self.name))
        return vars(self)[name]

    @property
    def plain_name(self) -> str:
        """Its name without what is optional."""
        return self.name.partition("+")[0]

    @CachedProperty
    def parts(self) -> tuple[str, ...]:
        """All shared parts that it may be composed of, in order."""
        return tuple(part.name for part in sorted_parts(self.needs, f"script {self.name}", self.gates))

    @CachedProperty
    def source(self) -> str:
        """Its own lines with its parts, as they are written."""
        return assemble(self.needs, self.keys, self.args, self.body, f"script {self.name}", self.gates)

    @CachedProperty
    def text(self) -> str:
        """What the server runs."""
        text = text_cache.kept(self.name)
        if text is None:
            text = written_out(self.source)
            text_cache.keep(self.name, text)
        return text

    @CachedProperty
    def sha(self) -> str:
        """SHA-1 of the text, for EVALSHA."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    @CachedProperty
    def reads_only(self) -> bool:
        """Whether it calls no command that writes, so that a user who may only read can run it."""
        return all(word[1] in _READS or word[1] in _ARGUMENTS for word in _WORD.finditer(self.text))

    def composed(self) -> ComposedScript:
        """Return it for a process that composes none."""
        return ComposedScript(self.sha, self.text, self.keys, self.reads_only)


@cache
def load(name: str) -> Script:
    """Return a script by its name; what it has of what is optional follows, as in ``finishing.finish+rate``.

    A choice names a part. Lines between ``-- only x:`` and ``-- end x`` are there where it was chosen. Its
    attributes raise a ``ScriptError`` where there is no such script, or its header names what does not exist.
    """
    return Script(name)


def _header_of(name: str) -> dict[str, Any]:
    """Read a script's file; return the attributes of ``Script`` by name."""
    plain, *chosen = name.split("+")
    module, _, leaf = plain.partition(".")
    folder = _folders().get(module)
    source = folder / f"{leaf}.lua" if folder is not None and leaf else None
    if source is None or not source.is_file():
        raise ScriptError(f"no script {name!r}; known: {', '.join(names())}")
    return _parsed(name, source.read_text(), chosen)


@cache
def names() -> tuple[str, ...]:
    """Return the names of all scripts, sorted, with each combination of what is optional."""
    return tuple(
        sorted(
            "+".join((f"{module}.{source.name.removesuffix('.lua')}", *gates))
            for module, folder in _folders().items()
            for source in folder.iterdir()
            if source.name.endswith(".lua")
            for gates in _combinations(source.read_text())
        )
    )


@cache
def _folders() -> dict[str, Path]:
    """Return the folder of the scripts of each module by the module's name; the tree is that of the modules."""
    return dict(_script_folders(lua_root()))


def _script_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "lib":
            if any(source.name.endswith(".lua") for source in entry.iterdir()):
                yield entry.name, entry
            else:
                yield from _script_folders(entry)


def _combinations(source: str) -> list[tuple[str, ...]]:
    lines = (line for line in source.splitlines() if line.startswith(("-- gates:", "-- choices:")))
    found = [
        chosen
        for group in _groups(" ".join(lines))
        for number in range(len(group) + 1)
        for chosen in combinations(group, number)
    ]
    return list(dict.fromkeys(found))


def _groups(header: str) -> list[list[str]]:
    """Return what may be chosen together: what stands on two sides of a bar is never wanted in one script."""
    return [_OPTIONAL.findall(group) for group in header.split("|")]


def _parsed(name: str, source: str, chosen: list[str]) -> dict[str, Any]:
    first, *rest = source.splitlines()
    if not first.startswith("--- "):
        raise ScriptError(f"script {name}: its first line must be '--- <what it does>'")
    header = {"needs": "", "gates": "", "choices": "", "keys": "", "args": "", "returns": ""}
    at, field = 0, ""
    for at, line in enumerate(rest):  # noqa: B007
        if match := _FIELD.match(line):
            field = match[1]
            header[field] = match[2].strip()
        elif field and line.startswith("--   "):
            header[field] += " " + line.removeprefix("--").strip()
        else:
            break
    needs, keys, args = (tuple(header[each].split()) for each in ("needs", "keys", "args"))
    unknown = [key for key in keys if key not in SUFFIXES and key != HOME]
    if unknown:
        raise ScriptError(f"script {name}: unknown key {', '.join(unknown)}; known: {', '.join(SUFFIXES)}")
    groups = _groups(f"{header['gates']} {header['choices']}")
    if all(chosen != [each for each in group if each in chosen] for group in groups):
        known = " or ".join(", ".join(group) for group in groups)
        what = "choices" if header["choices"] else "optional gates"
        raise ScriptError(f"script {name}: its {what} are {known or 'none'}, in this order")
    gates = tuple(
        gate.strip("[]") for gate in header["gates"].split() if gate[0] != "[" or gate.strip("[]") in chosen
    )
    needs = (*(choice for choice in chosen if f"[{choice}]" in header["choices"]), *needs)
    body = _CHOICE.sub(lambda block: block[2] if block[1] in chosen else "", "\n".join(rest[at:]) + "\n")
    return {
        "purpose": first.removeprefix("--- "),
        "needs": needs,
        "gates": gates,
        "keys": keys,
        "args": args,
        "returns": header["returns"],
        "body": body,
    }

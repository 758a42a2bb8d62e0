"""Loads the Lua scripts by name: reads the header and has the text composed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache

from stockyard._store.composing import ScriptError, assemble, lua_root, sorted_parts, written_out
from stockyard._wire.keys import SUFFIXES

_FIELD = re.compile(r"^-- (needs|keys|args|returns):\s*(.*)$")


_READS = frozenset(
    (
        "EXISTS GET GETRANGE HEXISTS HGET HGETALL HLEN HMGET HSCAN LINDEX LLEN LPOS LRANGE PTTL SCARD SISMEMBER "
        "SMEMBERS SMISMEMBER SSCAN STRLEN TIME XINFO XLEN XPENDING XRANGE XREVRANGE ZCARD ZCOUNT ZRANGE "
        "ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCORE"
    ).split()
)
_ARGUMENTS = frozenset("BYSCORE CONSUMERS COUNT GROUPS LIMIT RANK REV STREAM WITHSCORES".split())
_WORD = re.compile(r"'([A-Z][A-Z_]+)'")


@dataclass(frozen=True, slots=True)
class Script:
    """One composed script.

    Attributes:
        name: ``module.script``, as in ``finishing.finish``.
        purpose: its first line.
        needs: shared parts from ``lua/lib`` that its own lines use.
        parts: all that it is composed of, in order.
        keys: names of its keys in order; see ``_wire.keys.SUFFIXES``.
        args: names of its arguments in order.
        returns: what it answers.
        body: its own lines.
        source: these with its parts, as they are written.
        text: what the server runs.
        sha: SHA-1 of the text, for EVALSHA.
        reads_only: whether it calls no command that writes, so that a user who may only read can run it.
    """

    name: str
    purpose: str
    needs: tuple[str, ...]
    parts: tuple[str, ...]
    keys: tuple[str, ...]
    args: tuple[str, ...]
    returns: str
    body: str
    source: str
    text: str
    sha: str
    reads_only: bool


@cache
def load(name: str) -> Script:
    """Return a script by its name.

    Raises:
        ScriptError: there is no such script, or its header names what does not exist.
    """
    folder, _, leaf = name.partition(".")
    source = lua_root() / folder / f"{leaf}.lua"
    if not leaf or not source.is_file():
        raise ScriptError(f"no script {name!r}; known: {', '.join(names())}")
    return _compose(name, source.read_text())


@cache
def names() -> tuple[str, ...]:
    """Return the names of all scripts, sorted."""
    return tuple(
        sorted(
            f"{folder.name}.{source.name.removesuffix('.lua')}"
            for folder in lua_root().iterdir()
            if folder.is_dir() and folder.name != "lib"
            for source in folder.iterdir()
            if source.name.endswith(".lua")
        )
    )


def _compose(name: str, source: str) -> Script:
    first, *rest = source.splitlines()
    if not first.startswith("--- "):
        raise ScriptError(f"script {name}: its first line must be '--- <what it does>'")
    header = {"needs": "", "keys": "", "args": "", "returns": ""}
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
    unknown = [key for key in keys if key not in SUFFIXES]
    if unknown:
        raise ScriptError(f"script {name}: unknown key {', '.join(unknown)}; known: {', '.join(SUFFIXES)}")
    body = "\n".join(rest[at:]) + "\n"
    source = assemble(needs, keys, args, body, f"script {name}")
    text = written_out(source)
    parts = tuple(part.name for part in sorted_parts(needs, f"script {name}"))
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    reads_only = set(_WORD.findall(text)) <= _READS | _ARGUMENTS
    purpose = first.removeprefix("--- ")
    return Script(name, purpose, needs, parts, keys, args, header["returns"], body, source, text, sha, reads_only)

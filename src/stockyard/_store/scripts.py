"""Loads the Lua scripts by name: reads a header, composes shared parts, key names and body."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from stockyard._wire.codes import ReplyCode
from stockyard._wire.keys import SUFFIXES

_FIELD = re.compile(r"^-- (parts|keys|args|returns):\s*(.*)$")


_READS = frozenset(
    (
        "EXISTS GET GETRANGE HEXISTS HGET HGETALL HLEN HMGET HSCAN LINDEX LLEN LPOS LRANGE PTTL SCARD SISMEMBER "
        "SMEMBERS SMISMEMBER SSCAN STRLEN TIME XINFO XLEN XPENDING XRANGE XREVRANGE ZCARD ZCOUNT ZRANGE "
        "ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCORE"
    ).split()
)
_ARGUMENTS = frozenset("BYSCORE CONSUMERS COUNT GROUPS LIMIT RANK REV STREAM WITHSCORES".split())
_COMMENT = re.compile(r"--.*")
_WORD = re.compile(r"'([A-Z][A-Z_]+)'")


class ScriptError(Exception):
    """A script's header names a part or a key that does not exist."""


@dataclass(frozen=True, slots=True)
class Script:
    """One composed script.

    Attributes:
        name: ``module.script``, as in ``finishing.finish``.
        purpose: its first line.
        parts: shared parts from ``lua/lib`` in the order they are composed.
        keys: names of its keys in order; see ``_wire.keys.SUFFIXES``.
        args: names of its arguments in order.
        returns: what it answers.
        body: its own lines.
        text: what the server runs.
        sha: SHA-1 of the text, for EVALSHA.
        reads_only: whether it calls no command that writes, so that a user who may only read can run it.
    """

    name: str
    purpose: str
    parts: tuple[str, ...]
    keys: tuple[str, ...]
    args: tuple[str, ...]
    returns: str
    body: str
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
    source = _root() / folder / f"{leaf}.lua"
    if not leaf or not source.is_file():
        raise ScriptError(f"no script {name!r}; known: {', '.join(names())}")
    return _compose(name, source.read_text())


@cache
def names() -> tuple[str, ...]:
    """Return the names of all scripts, sorted."""
    return tuple(
        sorted(
            f"{folder.name}.{source.name.removesuffix('.lua')}"
            for folder in _root().iterdir()
            if folder.is_dir() and folder.name != "lib"
            for source in folder.iterdir()
            if source.name.endswith(".lua")
        )
    )


def _root() -> Traversable:
    return files("stockyard._store") / "lua"


def _compose(name: str, source: str) -> Script:
    first, *rest = source.splitlines()
    if not first.startswith("--- "):
        raise ScriptError(f"script {name}: its first line must be '--- <what it does>'")
    header = {"parts": "", "keys": "", "args": "", "returns": ""}
    at, field = 0, ""
    for at, line in enumerate(rest):  # noqa: B007
        if match := _FIELD.match(line):
            field = match[1]
            header[field] = match[2].strip()
        elif field and line.startswith("--   "):
            header[field] += " " + line.removeprefix("--").strip()
        else:
            break
    parts, keys, args = (tuple(header[each].split()) for each in ("parts", "keys", "args"))
    unknown = [key for key in keys if key not in SUFFIXES]
    if unknown:
        raise ScriptError(f"script {name}: unknown key {', '.join(unknown)}; known: {', '.join(SUFFIXES)}")
    body = "\n".join(rest[at:]) + "\n"
    generated = _locals(keys, "KEYS") + _locals(args, "ARGV")
    composed = "\n".join([*(_part(name, part) for part in parts), generated, body])
    text = _codes(composed) + composed
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    reads_only = set(_WORD.findall(text)) <= _READS | _ARGUMENTS
    purpose = first.removeprefix("--- ")
    return Script(name, purpose, parts, keys, args, header["returns"], body, text, sha, reads_only)


def _part(script: str, part: str) -> str:
    source = _root() / "lib" / f"{part}.lua"
    if not source.is_file():
        raise ScriptError(f"script {script}: there is no part {part!r} in lua/lib")
    return source.read_text()


def _codes(text: str) -> str:
    used = [code for code in ReplyCode if re.search(rf"\b{code.name}\b", _COMMENT.sub("", text))]
    return "".join(f"local {code.name} = {code.value}\n" for code in used)


def _locals(names: tuple[str, ...], table: str) -> str:
    if not names:
        return ""
    values = ", ".join(f"{table}[{index}]" for index in range(1, len(names) + 1))
    return f"local {', '.join(names)} = {values}\n"

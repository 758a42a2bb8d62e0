"""Composes the text of a script: shared parts, without what nothing uses, generated names, and its body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from stockyard._store.gates import gates_text
from stockyard._wire.codes import ReplyCode
from stockyard._wire.fields import BEGUN_EFFECT, PLACES, STARTED, STORED
from stockyard._wire.keys import JOB_SUFFIXES, PREFIXES, SUFFIXES
from stockyard._wire.own_keys import ARRANGING, EFFECTS, HALTS, KEYS

CONSTANTS: dict[str, str | int] = {
    **{code.name: code.value for code in ReplyCode},
    **{name.upper(): suffix for name, suffix in JOB_SUFFIXES.items()},
    **{name.upper(): prefix for name, prefix in PREFIXES.items()},
    **{name.upper(): suffix for name, suffix in ARRANGING.items()},
    **PLACES,
    "BEGUN_EFFECT": BEGUN_EFFECT,
}
"""Names that Lua takes from Python, and their values; a script has those that it uses."""

HOME = "home"
"""The key of a script that makes all its keys itself: one in the slot of a cluster where they are."""

QUEUE_KEYS = "queue_keys"
"""A part that is generated: the keys of a queue that a script finds on its way."""

ROWS = "rows"
"""Another: reads the fields of a job in the order of ``_wire.fields``."""

GATES = "gates"
"""The third: asks the gates of a script, one behind the other; see ``gates.gates_part``."""

_COMMENT = re.compile(r"--.*")
_NAMES = re.compile(r"local (?:function (\w+)|([\w, ]+))")


class ScriptError(Exception):
    """A script's header names a part or a key that does not exist, or parts need each other."""


class Part(NamedTuple):
    """A file of ``lua/lib``.

    Attributes:
        name: of the file.
        needs: parts that it uses.
        text: its Lua, without the line that says what it needs.
    """

    name: str
    needs: tuple[str, ...]
    text: str


def lua_root() -> Path:
    """Return the folder of all Lua files."""
    # Not by importlib.resources, whose import and whose reads took a third of the time of composing a script.
    return Path(__file__).parent / "lua"


@cache
def parts(gates: tuple[str, ...] = ()) -> dict[str, Part]:
    """Return all parts by name.

    Args:
        gates: those that ``gates`` asks, in order. Defaults to none.
    """
    found = dict(_parts_of_files())
    if unknown := [gate for gate in gates if gate not in found]:
        raise ScriptError(f"there is no gate {unknown[0]!r} in lua/lib")
    found[GATES] = Part(GATES, gates, gates_text({gate: found[gate].text for gate in gates}))
    return found


@cache
def _parts_of_files() -> dict[str, Part]:
    """Return the parts that are the same for all gates."""
    found = {QUEUE_KEYS: Part(QUEUE_KEYS, (), _queue_keys()), ROWS: Part(ROWS, (), _rows())}
    for source in sorted(_lua_files(lua_root() / "lib"), key=lambda each: each.name):
        name = source.name.removesuffix(".lua")
        first, second, rest = source.read_text().split("\n", 2)
        if name in found:
            raise ScriptError(f"there are two parts {name!r} in lua/lib")
        if second.startswith("-- needs: "):
            found[name] = Part(name, tuple(second.removeprefix("-- needs: ").split()), f"{first}\n{rest}")
        else:
            found[name] = Part(name, (), f"{first}\n{second}\n{rest}")
    return found


def sorted_parts(needs: tuple[str, ...], of: str, gates: tuple[str, ...] = ()) -> list[Part]:
    """Return the parts that these need, in an order in which each comes behind all that it needs itself.

    Args:
        needs: their names.
        of: what needs them, for an error.
        gates: those that ``gates`` asks. Defaults to none.

    Raises:
        ScriptError: there is no such part, or two need each other.
    """
    order: dict[str, Part] = {}
    for name in needs:
        _visit(name, of, (), order, parts(gates))
    return list(order.values())


def _visit(name: str, by: str, above: tuple[str, ...], order: dict[str, Part], known: dict[str, Part]) -> None:
    if name in order:
        return
    if name in above:
        raise ScriptError(f"parts of lua/lib need each other: {' -> '.join((*above, name))}")
    part = known.get(name)
    if part is None:
        raise ScriptError(f"{by} needs {name!r}, and there is no such part in lua/lib")
    for needed in part.needs:
        _visit(needed, f"part {name}", (*above, name), order, known)
    order[name] = part


def assemble(
    needs: tuple[str, ...],
    keys: tuple[str, ...],
    args: tuple[str, ...],
    body: str,
    of: str,
    gates: tuple[str, ...] = (),
) -> str:
    """Return a script with its parts, as it is written.

    Args:
        needs: parts that the body uses.
        keys, args: what becomes of KEYS and ARGV.
        body: its own lines.
        of: what the script is called in an error.
        gates: what may keep jobs from being taken, in order. Defaults to nothing.
    """
    kept: list[str] = []
    used = set(_words(body))
    for part in reversed(sorted_parts(needs, of, gates)):
        chunks: list[str] = []
        for chunk in reversed(chunks_of(part.text)):
            if defined_by(chunk) & used:
                chunks.insert(0, chunk)
                used |= _words(chunk)
        if chunks:
            # The first line says what the part is for.
            kept.insert(0, part.text.partition("\n")[0] + "\n\n" + "\n".join(chunks))
    generated = _locals(keys, "KEYS") + _locals(args, "ARGV")
    return "\n".join([*kept, generated + _keys_table(keys, args, body, kept), body])


def written_out(text: str) -> str:
    """Return an assembled script as the server runs it, without constants and small functions."""
    # Imported late: a process that finds its texts on the disk writes none out.
    from stockyard._store.inlining import inlined, with_constants

    return inlined(with_constants(text, {name: _literal(value) for name, value in CONSTANTS.items()}))


@cache
def chunks_of(text: str) -> tuple[str, ...]:
    """Return the definitions of a part, each with the comment above it."""
    chunks: list[str] = []
    chunk: list[str] = []
    is_code = False
    for line in text.splitlines()[1:]:
        begins = line.startswith(("local ", "--"))
        if begins and is_code:
            chunks.append("\n".join(chunk).strip("\n") + "\n")
            chunk, is_code = [], False
        chunk.append(line)
        is_code = is_code or line.startswith("local ")
    if is_code:
        chunks.append("\n".join(chunk).strip("\n") + "\n")
    return tuple(chunks)


@cache
def defined_by(chunk: str) -> set[str]:
    """Return the names that a definition of a part gives to what follows."""
    for line in chunk.splitlines():
        if match := _NAMES.match(line):
            return {match[1]} if match[1] else {name.strip() for name in match[2].split(",")}
    return set()


@cache
def _words(text: str) -> set[str]:
    return set(re.findall(r"\b[A-Za-z_]\w*", _COMMENT.sub("", text)))


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _locals(names: tuple[str, ...], table: str) -> str:
    if not names or names == (HOME,):
        return ""
    values = ", ".join(f"{table}[{index}]" for index in range(1, len(names) + 1))
    return f"local {', '.join(names)} = {values}\n"


def _keys_table(keys: tuple[str, ...], args: tuple[str, ...], body: str, kept: list[str]) -> str:
    """Return the table of the script's own keys, as parts take it, when the body hands it on."""
    code = _COMMENT.sub("", body)
    if not keys or keys == (HOME,) or not re.search(r"(?<!local )\bkeys\b", code):
        return ""
    text = _COMMENT.sub("", "\n".join([*kept, body]))
    names = (*(("base",) if "base" in args else ()), *keys)
    if "keys[" not in text:
        read = set(re.findall(r"\bkeys\.(\w+)", text))
        names = tuple(name for name in names if name in read)
    return f"local keys = {{{', '.join(f'{name} = {name}' for name in names)}}}\n"


def _queue_keys() -> str:
    # Of a job that a script finds on its way, neither effects nor halts nor what its queue arranges are looked at.
    others = {**EFFECTS, **ARRANGING, **HALTS, **KEYS}
    named = {name: suffix for name, suffix in SUFFIXES.items() if name not in others}
    pairs = ", ".join(f"{name} = '{suffix}'" for name, suffix in named.items())
    return f"""-- The keys of a queue that is known by its base alone; each is made when it is first read.

local by_base, lazily

local function queue_keys(base)
  if not by_base then
    local suffixes = {{{pairs}}}
    by_base, lazily = {{}}, {{}}
    lazily.__index = function(keys, name)
      local key = keys.base .. suffixes[name]
      keys[name] = key
      return key
    end
  end
  by_base[base] = by_base[base] or setmetatable({{base = base}}, lazily)
  return by_base[base]
end
"""


def _rows() -> str:
    started, stored = (", ".join(f"'{field}'" for field in fields) for fields in (STARTED, STORED))
    return f"""-- A job's fields in the order that callers read them.

-- What is no record answers with an error, in `err`: one odd key must not stop the call.
local function read_started(job)
  return redis.pcall('HMGET', job, {started})
end

local function read_stored(job)
  return redis.pcall('HMGET', job, {stored})
end
"""


def _lua_files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _lua_files(entry)
        elif entry.name.endswith(".lua"):
            yield entry

"""Writes constants and functions of a single expression out where a script uses them.

The server makes every function of a script at each call of the script, which costs the more the more the function
captures. So a small function costs nothing only if it is gone from what the server runs. It is written out when
that cannot change what the script does: it is called and never handed on, it names only its parameters and the
functions of the server, and an argument that is more than a name is read by a single command, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

_SKIPPED = r"'(?:[^'\\\n]|\\.)*'|--[^\n]*"
_CONSTANT = re.compile(r"^local ([A-Z_]+) = (-?\d+|'[^']*')\n", re.M)
_SMALL = re.compile(
    r"^local function (\w+)\(([\w, .]*)\)\s+(return )?((?:(?!\n(?:local|end|--)).)+?)\s+end$", re.M | re.DOTALL
)
_SIMPLE = re.compile(r"[\w.]+|'[^']*'|-\d+")
_WORD = re.compile(rf"{_SKIPPED}|(?<![\w.])(?:[A-Za-z_]\w*|\.\.\.)")
_CAPITALS = re.compile(rf"{_SKIPPED}|(?<![\w.])[A-Z][A-Z_]*\b")
_BRACKET = re.compile(rf"{_SKIPPED}|[](){{}},[]")
_CALL = re.compile(r"(?:redis\.p?call|tonumber|string\.\w+|math\.\w+)\(")
_LAST = re.compile(r"(?:\w+|==|~=|<=|>=|\.\.|\S)$")
_FREE = {
    "redis",
    "tonumber",
    "tostring",
    "math",
    "string",
    "unpack",
    "type",
    "and",
    "or",
    "not",
    "nil",
    "true",
    "false",
}
_BEFORE_VALUE = set(
    "= ( , { [ .. + - * / % ^ < > == ~= <= >= # and or not return if elseif while until in".split()
)
_LONGEST_COMMENT = 1000


class _Small(NamedTuple):
    """A function of one expression.

    Attributes:
        name: its name.
        parameters: in their order.
        returns: whether it gives the expression's value.
        body: the expression.
        is_command: it is one call and nothing beside it.
    """

    name: str
    parameters: tuple[str, ...]
    returns: bool
    body: str
    is_command: bool


def with_constants(text: str, constants: Mapping[str, str]) -> str:
    """Return a text with values in place of the names of constants: of these, and of its own."""
    values = {**constants, **dict(_CONSTANT.findall(text))}
    return _CAPITALS.sub(lambda match: values.get(match[0], match[0]), _CONSTANT.sub("", text))


def inlined(text: str) -> str:
    """Return a text without its small functions, whose calls are written out."""
    at = 0
    while match := _SMALL.search(text, at):
        small = _small(match[1], match[2], bool(match[3]), match[4])
        rest = None if small is None else _without_calls(text[match.end() :], small)
        if rest is None:
            at = match.end()
        else:
            text = _without_comment(text[: match.start()]) + rest
            at = max(match.start() - _LONGEST_COMMENT, 0)
    return text


@cache
def _small(name: str, parameters: str, returns: bool, body: str) -> _Small | None:
    """Return the function, or nothing for one that is more than an expression or names what is not its own."""
    names = tuple(part.strip() for part in parameters.split(",") if part.strip())
    words = {word for word in _WORD.findall(body) if word[0] not in "'-"}
    call = _CALL.match(body)
    is_command = call is not None and _brackets(body, call.end() - 1)[-1] == len(body) - 1
    is_closed = words <= _FREE | set(names) and "--" not in body and "\n  redis" not in body
    return _Small(name, names, returns, body, is_command) if is_closed and (returns or is_command) else None


def _without_calls(text: str, small: _Small) -> str | None:
    """Return the text with the calls written out, or nothing when one of them must stay a call."""
    written, at = [], 0
    for start in _uses(text, small.name):
        line = text[text.rfind("\n", 0, start) + 1 : start]
        if start < at or "--" in line or line.count("'") % 2:
            continue
        if not text.startswith("(", start + len(small.name)):
            return None
        places = _brackets(text, start + len(small.name))
        bounds = pairwise(places)
        arguments = [_without_calls(text[begin + 1 : end].strip(), small) for begin, end in bounds]
        value = _written_out(small, [argument for argument in arguments if argument], _before(text, start))
        if value is None or None in arguments:
            return None
        written += [text[at:start], value]
        at = places[-1] + 1
    return "".join([*written, text[at:]])


def _uses(text: str, name: str) -> Iterator[int]:
    """Return the places where a name stands by itself; a search by pattern would look at each character."""
    at = text.find(name)
    while at >= 0:
        before, behind = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or behind.isalnum() or before in (".", "_") or behind == "_"):
            yield at
        at = text.find(name, at + 1)


def _written_out(small: _Small, arguments: list[str], before: str) -> str | None:
    is_value = before in _BEFORE_VALUE
    if is_value and not small.returns:
        return None
    values = dict(zip(small.parameters, [*arguments, *["nil"] * len(small.parameters)], strict=False))
    if "..." in values:
        values["..."] = ", ".join(arguments[small.parameters.index("...") :])
    for name, value in values.items():
        is_single = small.is_command and _WORD.findall(small.body).count(name) == 1
        if not _SIMPLE.fullmatch(value) and not is_single:
            return None
    written = re.sub(r",\s*(?=\)$)", "", _replaced(small.body, values))
    if small.is_command:
        return written
    return f"({written})" if is_value else f"local _ = {written}"


def _brackets(text: str, opening: int) -> list[int]:
    """Return the places of a bracket, of the commas between its arguments, and of the bracket that closes it."""
    places, depth = [], 0
    for match in _BRACKET.finditer(text, opening):
        if match[0] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth -= 1
        if (match[0] == "," and depth == 1) or not depth or match.start() == opening:
            places.append(match.start())
        if not depth:
            break
    return places


def _before(text: str, at: int) -> str:
    """Return what stands before a place, comments left out."""
    lines = [line.partition("--")[0].rstrip() for line in text[max(at - 500, 0) : at].split("\n")]
    last = _LAST.search(next((line for line in reversed(lines) if line), ""))
    return last[0] if last else ""


def _replaced(text: str, values: Mapping[str, str]) -> str:
    return _WORD.sub(lambda match: values.get(match[0], match[0]), text)


def _without_comment(before: str) -> str:
    """Drop the comment of a function that is gone."""
    lines = before.rstrip("\n").split("\n")
    while len(lines) > 1 and lines[-1].startswith("--"):
        lines.pop()
    return "\n".join(lines).rstrip("\n") + "\n"

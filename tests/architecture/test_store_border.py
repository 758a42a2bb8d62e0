"""Above the store, replies of scripts have names, and nothing knows the keys and fields of the server."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import SOURCE

BELOW = ("_store", "_wire", "_aio", "model", "embedded")
SPEAK_BULLMQ = ("compat",)
"""What has BullMQ's names for its own, as the interface that it offers."""
MODULES = sorted(
    path
    for path in SOURCE.rglob("*.py")
    if path.relative_to(SOURCE).parts[0] not in (*BELOW, *SPEAK_BULLMQ) and path.parent != SOURCE
)
REPLIES = {"answer", "code", "codes", "exchange", "record", "records", "reply", "replies", "row", "rows"}


def breaches(text: str) -> list[str]:
    """Return the lines that read a script's reply by position, or compare or name a bare negative code."""
    tree = ast.parse(text)
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Subscript) and _is_position(node)]
    lines += [node.lineno for part in _code_places(tree) for node in _negatives(part)]
    source = text.splitlines()
    return [source[number - 1].strip() for number in sorted(set(lines))]


def _is_position(node: ast.Subscript) -> bool:
    if not isinstance(node.slice, ast.Constant | ast.Slice):
        return False
    value = node.value
    while isinstance(value, ast.Subscript):
        value = value.value
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    bounds = [node.slice] if isinstance(node.slice, ast.Constant) else [node.slice.lower, node.slice.upper]
    return name in REPLIES and any(isinstance(each, ast.Constant) and type(each.value) is int for each in bounds)


def _code_places(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from node.comparators
        elif isinstance(node, ast.MatchValue | ast.Return):
            yield node.value or ast.Pass()
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(name, ast.Name) and name.id.isupper() for at in targets for name in ast.walk(at)):
                yield node.value


def _negatives(node: ast.AST) -> Iterator[ast.UnaryOp]:
    """Yield the negative whole numbers in an expression; a place or an argument of a call is no code."""
    if isinstance(node, ast.Subscript | ast.Call):
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant) and type(node.operand.value) is int:
            yield node
        return
    for part in ast.iter_child_nodes(node):
        yield from _negatives(part)


WIRE = re.compile(
    r"\A(returnvalue|failedReason|jobId|deduplicationId|deduplicatedJobId|attemptsMade|parentKey|queueKey|processedOn"
    r"|finishedOn|opts\.\w+|stalled-check.*|repeat:.*|metrics:\w+|retries-exhausted|prevTS)\Z|::\w|\bmoveTo[A-Z]"
)
"""Names of fields, keys and events on the server, and the steps that BullMQ's errors name."""


def wire_words(text: str) -> list[str]:
    """Return the texts that name something on the server, and the reads of a keyspace's keys."""
    tree = ast.parse(text)
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            found += [node.value] if WIRE.search(node.value) else []
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in ("keys", "base")
            and "keyspace" in ast.dump(node.value)
        ):
            found.append(ast.unparse(node))
    return found


def test_the_names_of_the_server_stay_below() -> None:
    found = {str(path.relative_to(SOURCE)): wire_words(path.read_text()) for path in MODULES}
    assert {module: words for module, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        'fields["returnvalue"]',
        'f"{prefix}::cache:"',
        'read("opts.maxLenEvents")',
        'E(f"Job {job_id} has no lock. moveToFinished")',
        "self._keyspace.keys.job(job_id)",
        "keyspace.base",
    ],
)
def test_a_name_of_the_server_is_noticed(line: str) -> None:
    assert len(wire_words(line)) == 1


def test_replies_are_read_by_name() -> None:
    found = {str(path.relative_to(SOURCE)): breaches(path.read_text()) for path in MODULES}
    assert {module: lines for module, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "job_id = row[14].decode()",
        "ids = [row[14] for row in rows]",
        "first = done.rows[0][14]",
        "name, data = record[:2]",
        "_GONE = (-1, -3)",
        "if code == -2: pass",
        "if code in (-4, -9): pass",
        "def f(): return -1",
        "match code:\n    case -1: pass",
    ],
)
def test_a_breach_is_noticed(line: str) -> None:
    assert breaches(line) == [line.splitlines()[-1].strip()]


@pytest.mark.parametrize(
    "line",
    [
        "last = texts[-1]",
        "if found == texts[-1]: pass",
        "job.logs(0, -1)",
        "first = record.raw_id[0:1]",
        "a, b = 0, -1",
    ],
)
def test_what_is_no_reply_is_left_alone(line: str) -> None:
    assert breaches(line) == []


NET = SOURCE / "_store" / "net"


def commands_of_calls(text: str) -> list[str]:
    """Return the places where the command of a script is composed, and not by the server that it is for."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "command":
            # Those of the command line are named.
            if not node.args and not any(word.arg == "name" for word in node.keywords):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Constant) and re.fullmatch(r"EVAL(SHA)?(_RO)?", str(node.value)):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SOURCE.rglob("*.py")) if NET not in path.parents],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_the_server_composes_the_commands_of_scripts(path: Path) -> None:
    # A cluster needs a key more, or a script in a slot that is being moved may break off in the middle.
    assert commands_of_calls(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "take = ScriptCall(script, keys, arguments).command()",
        "call.command(reads_apart=True)",
        "await connection.ask([('EVALSHA', script.sha, 0)], 5)",
    ],
)
def test_a_command_of_a_script_that_is_composed_elsewhere_is_noticed(line: str) -> None:
    assert len(commands_of_calls(line)) == 1

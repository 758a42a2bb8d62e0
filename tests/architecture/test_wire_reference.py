"""docs/reference/wire.md leaves nothing of BullMQ out, and what it points at exists."""

import ast
import re
from functools import cache

import pytest

import stockyard
import stockyard.events
import stockyard.manual
import stockyard.monitoring
import stockyard.pubsub
import stockyard.topology
from tests.architecture.repository import ROOT

DECLARATIONS = ROOT / "tests" / "interop" / "node" / "node_modules" / "bullmq" / "dist" / "esm"
PAGE = (ROOT / "docs" / "reference" / "wire.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line[:3] == "| `"]
TESTS = sorted(set(re.findall(r"`([\w/]+\.py::\w+)`", PAGE)))

TABLED = set(
    "Queue QueueGetters QueueBase Worker Job FlowProducer QueueEvents QueueEventsProducer JobScheduler".split()
)
"""Classes of which every member has a row; of the others the class has one."""

_CLASS = re.compile(r"export (?:declare )?(?:abstract )?class (\w+)")
_MEMBER = re.compile(r" {4}(?:(?:static|readonly|abstract|get|set) )*(\w+)\??[(<:;]")


def declared() -> set[str]:
    """What bullmq declares as public: ``Class`` and, of some, ``Class.member``."""
    found = set()
    for path in sorted(DECLARATIONS.rglob("*.d.ts")):
        owner = ""
        for line in path.read_text().splitlines():
            if match := _CLASS.match(line):
                owner = match[1]
                found.add(owner)
            elif line.startswith("}"):
                owner = ""
            elif owner in TABLED and (match := _MEMBER.match(line)) and match[1] != "constructor":
                found.add(f"{owner}.{match[1]}")
    return found - TABLED


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}


@pytest.mark.skipif(not DECLARATIONS.is_dir(), reason="bullmq is not installed: `make node` does")
def test_every_class_and_method_of_bullmq_has_a_row() -> None:
    told = {name for first, *_ in ROWS for name in re.findall(r"`([\w.]+)`", first)}
    assert len(declared()) > 200
    assert sorted(declared() - told) == []


def test_every_test_that_is_named_exists() -> None:
    assert len(TESTS) > 100
    assert [test for test in TESTS if test.partition("::")[2] not in names_in(test.partition("::")[0])] == []


def test_what_we_have_is_shown_by_a_test() -> None:
    """A row says ours and the test, or that there is none, and why."""
    members = [row for row in ROWS if re.match(r"`[A-Z]\w+\.\w+`", row[0])]
    assert len(members) > 100
    assert [row for row in members if len(row) != 3 or (".py::" in row[2]) == row[1].startswith("none")] == []


def test_what_is_called_ours_is() -> None:
    named = re.findall(r"`([A-Z]\w+)\.(\w+)[`(]", "\n".join(ours for _, ours, *_ in ROWS))
    assert len(named) > 80
    assert [f"{owner}.{name}" for owner, name in named if not _has(owner, name)] == []


def _has(owner: str, name: str) -> bool:
    topics = (
        stockyard,
        stockyard.events,
        stockyard.manual,
        stockyard.monitoring,
        stockyard.pubsub,
        stockyard.topology,
    )
    found = next((getattr(topic, owner) for topic in topics if hasattr(topic, owner)), None)
    return hasattr(found, name) or name in getattr(found, "__annotations__", {})

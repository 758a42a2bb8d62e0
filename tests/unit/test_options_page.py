"""The page on options has a row for every option that there is, and for no other."""

import re
from dataclasses import fields
from typing import Any

import pytest

from stockyard import AddOptions, Hooks, QueueOptions, WorkerOptions
from stockyard.cache import CacheOptions
from stockyard.model.options import RunOptions
from stockyard.pubsub import ChannelOptions
from stockyard.topology.router import HandlerOptions
from stockyard.topology.schedule_declaration import ScheduleOptions
from tests.support.documents import ROOT

PAGE = (ROOT / "docs" / "reference" / "options.md").read_text()
SECTIONS = {
    "`add`": AddOptions,
    "a queue": QueueOptions,
    "a handler": HandlerOptions,
    "a worker": WorkerOptions,
    "a schedule": ScheduleOptions,
    "a cache": CacheOptions,
    "a channel": ChannelOptions,
}


def rows(what: str) -> list[list[str]]:
    """The cells of a section's table: option, type, default, example, meaning."""
    _, _, section = PAGE.partition(f"## Options of {what}\n")
    section, _, _ = section.partition("\n## ")
    table = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\\\)\|", line)[1:-1]] for line in table]


@pytest.mark.parametrize("what", SECTIONS)
def test_every_option_has_its_row(what: str) -> None:
    options: Any = SECTIONS[what]
    # Those of every run are in the table of `add`, to which the section on schedules refers.
    known = set(options.__annotations__) - (set(RunOptions.__annotations__) if what == "a schedule" else set())
    assert sorted(row[0].strip("`") for row in rows(what)) == sorted(known)


@pytest.mark.parametrize("what", SECTIONS)
def test_a_row_has_type_default_example_and_meaning(what: str) -> None:
    assert [row for row in rows(what) if len(row) != 5 or not all(row)] == []


def test_the_section_on_schedules_refers_to_those_of_every_run() -> None:
    of_one_job = {"job_id", "timestamp", "delay", "eta", "expires_in", "expires_at", "coalesce"}
    of_one_job |= {"key", "deduplication", "parent", "on_failure", "correlation_id", "causation_id"}
    assert set(AddOptions.__annotations__) - set(RunOptions.__annotations__) == of_one_job


def test_every_hook_has_its_row() -> None:
    handlers = (ROOT / "docs" / "reference" / "handlers.md").read_text()
    _, _, table = handlers.partition("| hook | signature | called |")
    named = re.findall(r"^\| `(\w+)` \| `\(", table, re.M)
    assert named == [field.name for field in fields(Hooks)]

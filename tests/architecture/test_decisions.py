"""Decisions that quote a constant quote the one of the code."""

import re

import pytest

from stockyard._store.jobs.adding import BATCH as ADDED
from stockyard.consume.executors.calls import _RESULTS as CALLS
from stockyard.produce import batcher
from tests.architecture.repository import ROOT

NUMBERS = {"two": 2, "three": 3, "four": 4}
QUOTED = {
    "0003-batched-scripts.md": {
        r"travel in batches of up to (\d+)": ADDED,
        r"half full \((\d+) jobs\)": batcher._OPENING,
        r"and (two|three|four) are\s+on the wire": batcher._ON_THE_WIRE,
    },
}


@pytest.mark.parametrize(
    ("page", "pattern", "value"),
    [(page, pattern, value) for page, quotes in QUOTED.items() for pattern, value in quotes.items()],
)
def test_a_quoted_number_is_the_code_s(page: str, pattern: str, value: int) -> None:
    found = re.search(pattern, (ROOT / "docs" / "adr" / page).read_text())
    assert found, f"{page} does not say it in these words any more: {pattern}"
    assert NUMBERS.get(found[1], found[1]) in (value, str(value))


def test_what_a_child_may_ask_is_what_the_decision_says() -> None:
    page = (ROOT / "docs" / "adr" / "0007-process-executor.md").read_text()
    (refused,) = re.findall(r"everything but two things: (.*?)\. The error", page, re.S)
    named = set(re.findall(r"`(\w+)`", refused))
    assert named == {"get_job", "wait_for_result"}
    assert not named & set(CALLS)
    assert {"log", "update_progress", "state", "retry"} & set(CALLS)


def test_every_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(page.name.partition("-")[0]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    assert [page.read_text().split(".")[0] for page in pages] == [f"# {number}" for number in numbers]


def test_the_list_of_decisions_is_in_their_order() -> None:
    listed = re.findall(r"\]\(\.\./adr/([^)]+)\)", (ROOT / "docs" / "explanation" / "decisions.md").read_text())
    assert len(listed) >= 30
    assert listed == sorted(set(listed))

"""Tests wait for conditions, expect errors by their types, and are run once."""

import re

import pytest

from tests.architecture.repository import ROOT, files, name

LITERAL_SLEEP = re.compile(r"sleep\(\s*[\d._]*[1-9][\d._]*\s*\)")
ANY_EXCEPTION = re.compile(r"pytest\.raises\(\s*\(?\s*(?:Base)?Exception\b(?!Group)")

BREACHES = {
    LITERAL_SLEEP: [
        "await asyncio.sleep(" + "0.05)",
        "time.sleep(" + "3)",
        "sleep(\n    60_000)",
        "sleep(" + ".5)",
    ],
    ANY_EXCEPTION: ["with pytest.raises(" + "Exception):", "pytest.raises(" + "(Exception, OSError))"],
}
ALLOWED = ["asyncio.sleep(0)", "sleep(0.0)", "sleep(RUN_SECONDS)", "sleep(2 * LEASE)", "pytest.raises(ValueError)"]


@pytest.mark.parametrize("pattern", BREACHES, ids=["literal sleep", "any exception"])
def test_no_test_has(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name(path)}: {match.group()}"
        for path in files(".py", ".mjs")
        if path.is_relative_to(ROOT / "tests")
        for match in pattern.finditer(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("pattern", BREACHES, ids=["literal sleep", "any exception"])
def test_a_breach_would_be_found(pattern: re.Pattern[str]) -> None:
    assert all(pattern.search(text) for text in BREACHES[pattern])
    assert not any(pattern.search(text) for text in ALLOWED)


RERUN = re.compile(r"reruns?\b|rerunfailures|\bflaky\b", re.IGNORECASE)
RUNNERS = ["Makefile", ".ci/run", "tests/pythons.sh", "pyproject.toml"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_failed_test_is_not_run_again(runner: str) -> None:
    assert RERUN.findall((ROOT / runner).read_text()) == []


def test_no_test_asks_to_be_run_again() -> None:
    marks = [
        name(path)
        for path in files(".py")
        if path.is_relative_to(ROOT / "tests") and re.search(r"mark\.(flaky|rerun)", path.read_text())
    ]
    assert marks == []


@pytest.mark.parametrize("text", ["pytest --reruns 2", '"pytest-rerunfailures>=16"', "@flaky"])
def test_a_second_try_would_be_found(text: str) -> None:
    assert RERUN.search(text)

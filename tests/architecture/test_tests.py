"""Tests wait for conditions, and expect errors by their types."""

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

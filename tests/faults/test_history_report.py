"""The page on faults has a row for each of them, of the columns that are measured."""

import re

from tests.faults.report import HEAD, row
from tests.faults.scenarios import SCENARIOS
from tests.support.documents import ROOT
from tests.support.history import Verdict

PAGE = (ROOT / "docs" / "operations" / "faults.md").read_text()


def test_each_fault_has_its_row() -> None:
    _, _, table = PAGE.partition(HEAD)
    rows = re.findall(r"^\| ([^|]+) \|.*\d s \|$", table, re.M)
    assert rows == [scenario.happens for scenario in SCENARIOS]


def test_a_row_has_a_cell_for_each_column() -> None:
    assert row(SCENARIOS[0], Verdict()).count("|") == HEAD.count("|")


def test_names_are_told_apart() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)

"""The page on faults has a row for each of them, of the columns that are measured."""

import re

from stockyard.testing.judgement import HistoryReport
from tests.faults.report import HEAD, TABLES, row
from tests.support.documents import ROOT

PAGE = (ROOT / "docs" / "operations" / "faults.md").read_text()
PLAYED = [scenario for table in TABLES for scenario in table]


def test_each_fault_has_its_row() -> None:
    _, *tables = PAGE.split(HEAD)
    assert len(tables) == len(TABLES)
    rows = [re.findall(r"^\| ([^|]+) \|.*\d s \|$", table.partition("\n\n")[0], re.M) for table in tables]
    assert rows == [[scenario.happens for scenario in table] for table in TABLES]


def test_a_row_has_a_cell_for_each_column() -> None:
    assert {row(scenario, HistoryReport()).count("|") for scenario in PLAYED} == {HEAD.count("|")}


def test_names_are_told_apart() -> None:
    assert len({scenario.name for scenario in PLAYED}) == len(PLAYED)

"""docs/reference/metrics.md is what the table of metrics says."""

import pytest

from stockyard.cli import main
from stockyard.observe.metrics.definitions import METRICS
from tests.architecture.repository import ROOT

PAGE = ROOT / "docs" / "reference" / "metrics.md"


def test_the_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "reference"]) == 0
    assert capsys.readouterr().out == PAGE.read_text()


def test_every_metric_has_its_line() -> None:
    told = {
        line.split("|")[1].strip(" `")
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `stockyard_")
    }
    assert told == {metric.name for metric in METRICS}


def test_every_label_is_explained() -> None:
    _, labels = PAGE.read_text().split("## Labels")
    assert [label for metric in METRICS for label in metric.labels if f"`{label}`" not in labels] == []


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "list"]) == 0
    shown = capsys.readouterr().out
    assert [metric.name for metric in METRICS if metric.name not in shown] == []

"""The dashboard is made from the table of metrics, and asks Prometheus for nothing else."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from stockyard.cli import main
from stockyard.observe.metrics.definitions import METRICS
from tests.deploy.tools import DEPLOY, checked

FILE = DEPLOY / "grafana" / "stockyard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = DASHBOARD["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]


def names_in(expression: str) -> set[str]:
    return {re.sub("_(bucket|info)$", "", name) for name in re.findall(r"stockyard_\w+", expression)}


def test_the_dashboard_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "dashboard"]) == 0
    assert capsys.readouterr().out == FILE.read_text()


def test_it_shows_every_metric_and_no_other() -> None:
    assert set().union(*map(names_in, EXPRESSIONS)) == {metric.name for metric in METRICS}


def test_its_rows_are_the_topics() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert sorted(rows) == sorted({metric.topic for metric in METRICS})


def test_prometheus_understands_every_expression(tmp_path: Any) -> None:
    chosen = [each.replace("$__rate_interval", "1m").replace("$queue", ".*") for each in EXPRESSIONS]
    assert not any("$" in each for each in chosen)
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(chosen)]
    # JSON is YAML, too.
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules" in checked("promtool", "check", "rules", str(tmp_path / "panels.yml"))


def test_no_two_panels_share_a_place_or_a_number() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert [pair for pair in combinations(PANELS, 2) if _overlap(*(panel["gridPos"] for panel in pair))] == []
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )

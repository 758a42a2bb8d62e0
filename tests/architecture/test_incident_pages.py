"""Every rule has its page: how to look, what to do, how to be sure it is over; the alerts page lists them all."""

import re

import pytest

from stockyard.observe.alerts.default_rules import Thresholds, every_rule
from stockyard.observe.alerts.prometheus_rules import page_name
from stockyard.observe.alerts.rules import Rule
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.trading import PLATFORM
from tests.architecture.repository import ROOT

RULES = every_rule(PLATFORM, Thresholds())
FOLDER = ROOT / "docs" / "incidents"
ALERTS = (ROOT / "docs" / "operations" / "alerts.md").read_text()
ROWS = {
    match[1]: match[0]
    for match in re.finditer(r"^\| \[([a-z ]+)\]\(\.\./incidents/[a-z-]+\.md\) \|.*$", ALERTS, re.M)
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_its_page(rule: Rule) -> None:
    title, *rest = (FOLDER / page_name(rule.name)).read_text().splitlines()
    assert title == f"# {rule.name}"
    assert [line for line in rest if line.startswith("#")] == ["## Diagnosis", "## Remedy", "## Recovery"]


def test_there_is_no_page_without_a_rule() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {page_name(rule.name) for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_listed_with_its_duration(rule: Rule) -> None:
    row = ROWS[rule.name]
    assert f"(../incidents/{page_name(rule.name)})" in row
    assert ("1 minute" if rule.for_ms == 60_000 else "at once") in row


def test_what_is_listed_is_a_rule() -> None:
    assert list(ROWS) == [rule.name for rule in RULES]


def test_the_thresholds_are_named_as_they_are_read() -> None:
    named = re.findall(r"`STOCKYARD_ALERT_(\w+)` \|", "\n".join(ROWS.values()))
    assert sorted(named) == sorted(each.upper() for each in Thresholds.__slots__)
    chosen = AlertSettings.load(
        {f"STOCKYARD_ALERT_{each}": "0.5" if each == "MEMORY" else "7" for each in named}, dotenv=None
    )
    assert all(getattr(chosen.thresholds, each) != getattr(Thresholds(), each) for each in Thresholds.__slots__)

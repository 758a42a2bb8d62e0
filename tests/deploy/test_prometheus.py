"""deploy/prometheus is what the source says, and Prometheus and Alertmanager take it."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from stockyard import App, Topology
from stockyard.cli import main
from stockyard.observe.alerts.default_rules import Thresholds, every_rule
from stockyard.observe.alerts.prometheus_rules import alert_name, rule_file
from stockyard.observe.alerts.rules import AlertRule, Rule
from stockyard.observe.metrics.definitions import METRICS
from stockyard.trading import PLATFORM
from tests.deploy.tools import DEPLOY, checked

FOLDER = DEPLOY / "prometheus"
RULES = every_rule(PLATFORM, Thresholds())
UNIT_TESTS = (FOLDER / "stockyard.rules.test.yml").read_text()


def test_the_rule_file_is_up_to_date(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DEPLOY)
    assert main(["alerts", "rules"]) == 0
    assert capsys.readouterr().out == (FOLDER / "stockyard.rules.yml").read_text()


def test_the_alerts_fire_and_resolve() -> None:
    assert "SUCCESS" in checked("promtool", "test", "rules", str(FOLDER / "stockyard.rules.test.yml"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_tested_to_fire_and_to_resolve(rule: Rule) -> None:
    cases = re.findall(rf"alertname: {alert_name(rule.name)}\b.*?exp_alerts:( \[\])?", UNIT_TESTS, re.S)
    assert "" in cases
    assert " []" in cases[cases.index("") :]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_asks_only_for_metrics_of_the_table(rule: Rule) -> None:
    asked = set(re.findall(r"stockyard_\w+", rule.promql))
    assert asked
    assert asked <= {metric.name for metric in METRICS}


def test_the_configurations_are_taken() -> None:
    rules = (FOLDER / "stockyard.rules.yml").read_text().count("- alert: ")
    assert f"{rules} rules" in checked("promtool", "check", "config", str(FOLDER / "prometheus.yml"))
    assert "2 receivers" in checked("amtool", "check-config", str(FOLDER / "alertmanager.yml"))


def test_the_routes_name_rules_that_exist() -> None:
    matched = re.findall(r'rule !?=~? "([^"]+)"', (FOLDER / "alertmanager.yml").read_text())
    assert {name for each in matched for name in each.split("|")} <= {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("rule", "receiver"), [("failed", "desk"), ("evicted keys", "pager"), ("waiting without a worker", "pager")]
)
def test_an_alert_reaches_its_receiver(rule: str, receiver: str) -> None:
    path = str(FOLDER / "alertmanager.yml")
    assert (
        checked("amtool", "config", "routes", "test", f"--config.file={path}", f"rule={rule}").strip() == receiver
    )


async def test_what_is_served_pleases_prometheus(redis_url: str, prefix: str) -> None:
    async with App(PLATFORM, redis=redis_url, prefix=prefix) as app:
        await app.queue("backtest:jobs").add("run", {})
        served = f"{app.serve_metrics().url}/metrics"
        with await asyncio.to_thread(urlopen, served) as answer:
            text = answer.read().decode()
    assert 'stockyard_jobs{queue="backtest:jobs",state="waiting"} 1.0' in text
    assert checked("promtool", "check", "metrics", text=text) == ""


def test_any_names_thresholds_and_words_make_a_file_that_is_taken(tmp_path: Path) -> None:
    odd = Topology("odd")
    odd.queue("it's.a-queue+", high_priority=True)
    rules = every_rule(odd, Thresholds(waiting=7, no_worker="1500ms", active="90s"))
    made = rule_file([*rules, replace(rules[0], action='don\'t: "wait"')], pages="https://wiki.example/pages/")
    (tmp_path / "rules.yml").write_text(made)
    checked("promtool", "check", "rules", str(tmp_path / "rules.yml"))
    assert r"it''s\\.a\\-queue\\+" in made
    assert "> 7'" in made
    assert "> 90'" in made
    assert "for: 1500ms" in made
    assert "https://wiki.example/pages/oldest-waiting.md" in made


def test_without_a_high_priority_queue_no_backlog_is_one() -> None:
    calm = Topology("calm")
    calm.queue("mail")
    assert 'queue=~""' in rule_file(every_rule(calm, Thresholds()))


def test_a_rule_that_only_we_can_watch_is_left_out() -> None:
    assert "alert:" not in rule_file([AlertRule("age", lambda health: health.longest_active, 1, "look")])

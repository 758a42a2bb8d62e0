"""The number of workers follows the backlog and the age of the oldest job, as Prometheus counts them."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from stockyard.observe.metrics.definitions import METRICS
from tests.deploy.test_services import DEPLOYMENTS
from tests.deploy.tools import DEPLOY, checked, documents

FOLDER = DEPLOY / "kubernetes" / "autoscaled"
(SCALED,) = documents(FOLDER / "scaling.yaml")
TRIGGERS = {each["name"]: each for each in SCALED["spec"]["triggers"]}


def _query(trigger: str) -> str:
    query: str = TRIGGERS[trigger]["metadata"]["query"]
    return query


def queue(name: str, *, waiting: int = 0, oldest: int = 0, paused: int = 0, halted: int = 0) -> dict[str, float]:
    """The metrics of one queue, as two exporters give them."""
    found: dict[str, float] = {}
    for exporter in ("a", "b"):
        labels = f'instance="{exporter}", queue="{name}"'
        found[f'stockyard_jobs{{{labels}, state="waiting"}}'] = waiting - waiting // 3
        found[f'stockyard_jobs{{{labels}, state="prioritized"}}'] = waiting // 3
        found[f'stockyard_jobs{{{labels}, state="delayed"}}'] = 1_000
        found[f"stockyard_oldest_waiting_seconds{{{labels}}}"] = oldest
        found[f"stockyard_queue_paused{{{labels}}}"] = paused
        found[f"stockyard_queue_halted{{{labels}}}"] = halted
    return found


CASES: list[tuple[str, dict[str, float], float | None]] = [
    ("backlog", queue("mail", waiting=90) | queue("orders", waiting=250), 340),
    ("backlog", queue("mail", waiting=90) | queue("orders", waiting=250, paused=1), 90),
    ("backlog", queue("mail", waiting=90, halted=1), 0),
    ("backlog", {}, None),
    ("oldest-waiting", queue("mail", oldest=4) | queue("orders", oldest=32), 32),
    ("oldest-waiting", queue("mail", oldest=4) | queue("orders", oldest=32, halted=1), 4),
    ("oldest-waiting", queue("mail", oldest=4, paused=1), 0),
    ("oldest-waiting", {}, None),
]


def test_the_queries_count_what_more_workers_would_help(tmp_path: Path) -> None:
    tests = [
        {
            "name": f"case {number}: {trigger}",
            "interval": "1m",
            "input_series": [{"series": name, "values": f"{value}x2"} for name, value in series.items()],
            "promql_expr_test": [
                {
                    "expr": _query(trigger),
                    "eval_time": "1m",
                    "exp_samples": [] if expected is None else [{"labels": "{}", "value": expected}],
                }
            ],
        }
        for number, (trigger, series, expected) in enumerate(CASES)
    ]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [], "tests": tests}))
    assert "SUCCESS" in checked("promtool", "test", "rules", str(tmp_path / "tests.yml"))


def test_the_queries_ask_for_metrics_that_exist() -> None:
    asked: set[str] = set()
    for trigger in TRIGGERS:
        expanded = re.sub(r"(\w+_)\((\w+)\|(\w+)\)", r"\1\2 \1\3", _query(trigger))
        asked |= set(re.findall(r"stockyard_\w+", expanded))
    assert len(asked) == 4
    assert asked <= {metric.name for metric in METRICS}


def test_what_is_scaled_is_the_deployment_of_workers() -> None:
    overlay: dict[str, Any] = msgspec.yaml.decode((FOLDER / "kustomization.yaml").read_text())
    assert overlay["resources"] == ["../base", "scaling.yaml"]
    (patch,) = overlay["patches"]
    target = SCALED["spec"]["scaleTargetRef"]["name"]
    assert patch["target"]["name"] == target
    assert msgspec.yaml.decode(patch["patch"]) == [{"op": "remove", "path": "/spec/replicas"}]
    assert "replicas" in DEPLOYMENTS[target]["spec"]
    # Without an answer of Prometheus it is a number between the least and the most.
    spec = SCALED["spec"]
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    assert all(each["metadata"]["ignoreNullValues"] == "false" for each in TRIGGERS.values())

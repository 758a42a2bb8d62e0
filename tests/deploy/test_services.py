"""The examples for Kubernetes and systemd start commands that exist, and leave them the time to end."""

import configparser
import inspect
import shlex
from typing import Any

import msgspec
import pytest

from stockyard.cli.program import program
from stockyard.model.duration import milliseconds
from stockyard.observe.metrics.metrics_server import MetricsServer
from tests.deploy.tools import DEPLOY

pytest.importorskip("yaml", reason="reads YAML: `pip install pyyaml` does")
MANIFESTS = {path.stem: msgspec.yaml.decode(path.read_text()) for path in (DEPLOY / "kubernetes").glob("*.yaml")}
UNIT = configparser.ConfigParser(strict=False, interpolation=None)
UNIT.optionxform = str  # type: ignore[assignment, method-assign]
UNIT.read(DEPLOY / "systemd" / "stockyard-worker.service")
PROBES = inspect.getdoc(MetricsServer) or ""


def options_of(arguments: list[str]) -> dict[str, Any]:
    """The options of a command as it will be given them; what it does not know is refused."""
    assert arguments[0].endswith("stockyard")
    _, bound, *_ = program.parse_args(arguments[1:], exit_on_error=False, print_error=False)
    return bound.arguments


def test_there_are_manifests() -> None:
    assert set(MANIFESTS) == {"workers", "metrics"}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_deployment_finds_its_own_pods(name: str) -> None:
    deployment = MANIFESTS[name]
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    others = [each for each in MANIFESTS.values() if each is not deployment]
    assert all(each["spec"]["template"]["metadata"]["labels"] != labels for each in others)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_probes_ask_where_the_process_answers(name: str) -> None:
    template = MANIFESTS[name]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    options = options_of(container["args"])
    (port,) = container["ports"]
    told = options.get("metrics_port") or options["port"]
    assert told == f"0.0.0.0:{port['containerPort']}"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    for probe, path in (("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
        assert f"``{path}``" in PROBES


def test_both_speak_of_one_app() -> None:
    apps = {name: options_of(_arguments(name)) for name in MANIFESTS}
    assert apps["metrics"]["connection"].app == apps["workers"]["target"]


def _arguments(name: str) -> list[str]:
    (container,) = MANIFESTS[name]["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def test_pods_outlive_the_grace_of_their_jobs() -> None:
    spec = MANIFESTS["workers"]["spec"]["template"]["spec"]
    grace = options_of(spec["containers"][0]["args"])["grace"]
    assert spec["terminationGracePeriodSeconds"] > milliseconds(grace, option="grace") / 1000


def test_the_unit_outlives_the_grace_of_its_jobs() -> None:
    service = UNIT["Service"]
    options = options_of(shlex.split(service["ExecStart"]))
    assert int(service["TimeoutStopSec"]) > milliseconds(options["grace"], option="grace") / 1000
    assert options["processes"] > 1
    assert service["KillMode"] == "mixed"

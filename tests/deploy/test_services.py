"""The files for Kubernetes and systemd start commands that exist, and leave them the time to end."""

import configparser
import inspect
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stockyard.model.duration import milliseconds
from stockyard.observe.metrics.metrics_server import MetricsServer
from tests.deploy.tools import DEPLOY, checked, documents, options_of

BASE = DEPLOY / "kubernetes" / "base"
KUSTOMIZATION = msgspec.yaml.decode((BASE / "kustomization.yaml").read_text())
OBJECTS = [document for name in KUSTOMIZATION["resources"] for document in documents(BASE / name)]
DEPLOYMENTS = {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == "Deployment"}
UNITS = {path.stem: path for path in (DEPLOY / "systemd").glob("*.service")}
PROBES = inspect.getdoc(MetricsServer) or ""


def container_of(name: str) -> dict[str, Any]:
    (container,) = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def options_in(name: str) -> dict[str, Any]:
    container = container_of(name)
    return options_of([*container["command"], *container["args"]])


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS[name])
    return parser["Service"]


def test_the_base_has_every_file_and_kind() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.stem != "kustomization"
    )
    kinds = ["Deployment", "Deployment", "PodDisruptionBudget", "Service"]
    assert sorted(each["kind"] for each in OBJECTS) == kinds
    assert set(DEPLOYMENTS) == {"stockyard-workers", "stockyard-metrics"}
    images = {container_of(name)["image"].rpartition(":")[0] for name in DEPLOYMENTS}
    assert images == {each["name"] for each in KUSTOMIZATION["images"]}


def test_kubernetes_knows_every_field() -> None:
    files = [str(BASE / name) for name in KUSTOMIZATION["resources"]]
    checked("kubernetes-validate", "--strict", *files)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_finds_its_own_pods(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    others = [each for each in DEPLOYMENTS.values() if each is not deployment]
    assert all(each["spec"]["template"]["metadata"]["labels"] != labels for each in others)


@pytest.mark.parametrize(
    ("kind", "name"), [("Service", "stockyard-metrics"), ("PodDisruptionBudget", "stockyard-workers")]
)
def test_what_selects_pods_finds_those_of_its_name(kind: str, name: str) -> None:
    (found,) = [each for each in OBJECTS if each["kind"] == kind]
    selector = found["spec"]["selector"]
    assert found["metadata"]["name"] == name
    assert selector.get("matchLabels", selector) == DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_probes_ask_where_the_process_answers(name: str) -> None:
    container, options = container_of(name), options_in(name)
    (port,) = container["ports"]
    listening = options.get("metrics_port") or options["port"]
    assert listening == f"0.0.0.0:{port['containerPort']}"
    annotations = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    for probe, path in (("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
        assert f"``{path}``" in PROBES


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_run_as_nobody_of_consequence(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    container = container_of(name)["securityContext"]
    assert not container["allowPrivilegeEscalation"]
    assert container["readOnlyRootFilesystem"]
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_both_name_one_app() -> None:
    assert options_in("stockyard-metrics")["connection"].app == options_in("stockyard-workers")["target"]


def test_pods_outlive_the_grace_of_their_jobs() -> None:
    spec = DEPLOYMENTS["stockyard-workers"]["spec"]["template"]["spec"]
    grace = options_in("stockyard-workers")["grace"]
    assert spec["terminationGracePeriodSeconds"] > milliseconds(grace, option="grace") / 1000 + 2


def test_there_are_units() -> None:
    assert set(UNITS) == {"stockyard-worker", "stockyard-metrics", "stockyard-dashboard"}


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_starts_a_command_that_exists(name: str) -> None:
    service = unit(name)
    options = options_of(service["ExecStart"].split())
    assert options.get("target", None) == "desk.workers:app" or options["connection"].app == "desk.workers:app"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="of systemd: `apt-get install systemd`")
@pytest.mark.parametrize("name", sorted(UNITS))
def test_systemd_takes_a_unit_and_finds_it_locked_in(name: str, tmp_path: Path) -> None:
    # Its program must exist, which that of the example does not here.
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNITS[name].read_text(), flags=re.M)
    copy = tmp_path / UNITS[name].name
    copy.write_text(text)
    checked("systemd-analyze", "verify", "--man=no", str(copy))
    # The levels are those of `systemd-analyze security`, times ten: 0 is the best, 100 the worst.
    checked("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(copy))


def test_the_unit_outlives_the_grace_of_its_jobs() -> None:
    service = unit("stockyard-worker")
    options = options_of(service["ExecStart"].split())
    assert int(service["TimeoutStopSec"]) > milliseconds(options["grace"], option="grace") / 1000 + 2
    assert options["processes"] > 1
    assert service["KillMode"] == "mixed"

"""The Dockerfile and the compose file: what linters say of them, and that their commands are ours."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from stockyard.embedded.binary import find_server
from stockyard.model.duration import milliseconds
from tests.deploy.test_services import DEPLOYMENTS
from tests.deploy.tools import DEPLOY, checked, options_of
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.waiting import wait_until

FOLDER = DEPLOY / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = msgspec.yaml.decode((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)


def test_the_linters_are_content() -> None:
    checked("hadolint", str(FOLDER / "Dockerfile"))
    checked("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(FOLDER / "compose.yaml"))
    rules = Path(__file__).parent / "yamllint.yaml"
    checked("yamllint", "--strict", "-c", str(rules), str(FOLDER), str(DEPLOY / "kubernetes"))


def test_the_image_runs_the_command_as_the_user_of_the_pods() -> None:
    assert DOCKERFILE.count('\nENTRYPOINT ["stockyard"]\n') == 1
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.M)
    for deployment in DEPLOYMENTS.values():
        assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == int(user)


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists_and_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    options = options_of(["stockyard", *service["command"]])
    listening = options.get("metrics_port") or options.get("port") or options["listen"]
    port = listening.removeprefix("0.0.0.0:")
    assert port == ("8400" if name == "dashboard" else "9400")
    assert port in str(service.get("healthcheck", DOCKERFILE.partition("HEALTHCHECK")[2]))
    # A port that is published is published to this machine alone.
    assert all(each == f"127.0.0.1:{port}:{port}" for each in service.get("ports", []))
    assert service["init"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]


def test_the_workers_outlive_the_grace_of_their_jobs() -> None:
    options = options_of(["stockyard", *SERVICES["workers"]["command"]])
    wait = milliseconds(SERVICES["workers"]["stop_grace_period"], option="stop_grace_period")
    assert wait > milliseconds(options["grace"], option="grace") + 2_000
    assert options["target"] == SERVICES["workers"]["environment"]["STOCKYARD_APP"]


def test_the_server_starts_by_its_command_and_asks_for_the_password(tmp_path: Path) -> None:
    (config,) = [each for each in SERVICES["redis"]["configs"] if each["source"] == "users"]
    text = (DEPLOY / "redis.conf").read_text()
    folder = SERVICES["redis"]["working_dir"]
    assert f"data:{folder}" in SERVICES["redis"]["volumes"]
    assert f"\ndir {folder}\n" in text
    (tmp_path / "redis.conf").write_text(text.replace(folder, str(tmp_path)))
    users = tmp_path / "users.acl"
    users.write_text(COMPOSE["configs"]["users"]["content"].replace("${REDIS_PASSWORD}", "s3cret") + "\n")
    port = free_port()
    places = {
        "valkey-server": str(find_server()),
        "/etc/stockyard/redis.conf": str(tmp_path / "redis.conf"),
        config["target"]: str(users),
        "*": "127.0.0.1",
        "-::*": "-::1",
    }
    command = [places.get(word, word) for word in SERVICES["redis"]["command"]]
    with Program([*command, "--port", str(port), "--logfile", str(tmp_path / "log")]) as server:

        def answers() -> bool:
            try:
                with redis.Redis(port=port, password="s3cret") as client:
                    return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers)
        with redis.Redis(port=port, password="s3cret", decode_responses=True) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        server.terminate()

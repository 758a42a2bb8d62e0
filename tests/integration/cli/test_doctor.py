"""`stockyard doctor`, and workers that heed it, on real servers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cli.conftest import Run, Start
from tests.support.servers import OwnServer

DESK = "tests.integration.cli.shop:desk"


def test_the_doctor_finds_a_good_server_well(run: Run, make_server: Callable[..., OwnServer]) -> None:
    server = make_server(options={"maxmemory": "1gb"})
    said = run("doctor", "--json", redis_url=server.url)
    assert said.status == 0
    findings = said.json()
    assert isinstance(findings, list)
    assert {each["severity"] for each in findings} == {"ok"}
    assert len(findings) == 12


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-ttl"])
def test_the_doctor_calls_every_evicting_policy_a_danger(
    run: Run, make_server: Callable[..., OwnServer], policy: str
) -> None:
    server = make_server(options={"maxmemory": "1gb", "maxmemory-policy": policy})
    said = run("doctor", redis_url=server.url)
    assert said.status == 1
    assert f"maxmemory-policy is {policy}" in said.out
    assert "CONFIG SET maxmemory-policy noeviction" in said.out


def test_the_doctor_looks_at_the_caches_own_server_too(
    run: Run, make_server: Callable[..., OwnServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make_server(options={"maxmemory": "1gb"})
    second = make_server(options={"maxmemory": "1gb", "maxmemory-policy": "allkeys-lru"})
    monkeypatch.setenv("CACHE_REDIS_URL", second.url)

    def look() -> Any:
        return run("doctor", "--json", redis_url=jobs.url).json()

    last = look()[-1]
    assert (last["check"], last["severity"], last["cause"]) == ("cache server", "ok", "allkeys-lru at 1,024 MB")

    second.stop()
    monkeypatch.setenv("STOCKYARD_CALL_TIMEOUT", "0.2")
    first = look()[0]
    assert (first["check"], first["severity"]) == ("cache server", "warning")
    assert "no server at unix:" in first["cause"]
    assert run("doctor", redis_url=jobs.url).status == 0


def test_a_server_that_tells_nothing_is_not_called_safe_but_may_be_trusted(
    run: Run, make_server: Callable[..., OwnServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(port=True)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "shy", "on", ">shy", "~*", "+@all", "-info")
    url = server.url.replace("redis://", "redis://shy:shy@")
    said = run("doctor", "--json", redis_url=url)
    findings = said.json()
    assert isinstance(findings, list)
    assert {each["check"] for each in findings if each["severity"] == "warning"} >= {"eviction policy", "memory"}
    assert all("STOCKYARD_TRUST_SERVER=1" in each["remedy"] for each in findings if each["is_hidden"])
    monkeypatch.setenv("STOCKYARD_TRUST_SERVER", "1")
    trusted = run("doctor", "--json", redis_url=url).json()
    assert isinstance(trusted, list)
    assert {each["severity"] for each in trusted} == {"ok"}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_worker_of_critical_queues_ends_with_one_message(
    start: Start, make_server: Callable[..., OwnServer], processes: str
) -> None:
    server = make_server(options={"maxmemory-policy": "allkeys-lru"})
    worker = start(DESK, f"--processes={processes}", redis_url=server.url)
    assert worker.process.wait(60) == 2
    assert "stockyard: queue 'orders' is critical" in worker.log
    assert "maxmemory-policy is allkeys-lru" in worker.log
    assert "CONFIG SET maxmemory-policy noeviction" in worker.log
    assert "--allow-eviction" in worker.log
    assert "Traceback" not in worker.log


def test_a_worker_that_may_lose_jobs_starts_with_a_warning(
    start: Start, make_server: Callable[..., OwnServer]
) -> None:
    server = make_server(options={"maxmemory-policy": "allkeys-lru"})
    worker = start(DESK, "--allow-eviction", redis_url=server.url)
    worker.wait_ready()
    assert worker.log.count("is not safe for queues") == 1

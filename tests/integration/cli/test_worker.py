"""`stockyard worker` as people and service managers run it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.cli.conftest import ROOT, Run, Start
from tests.support.child_handlers import alive
from tests.support.forked import Forked
from tests.support.ports import free_ports
from tests.support.scraping import fetch, probe, scrape
from tests.support.waiting import wait_until

SHOP = "tests.integration.cli.shop:shop"


def test_a_stop_lets_running_jobs_end(run: Run, start: Start) -> None:
    worker = start(SHOP, "--queue=mail")
    worker.wait_ready()
    assert "working on mail, 4 at a time" in worker.log
    run("job", "add", "mail", "welcome", '{"seconds": 0.5}')
    wait_until(lambda: _count(run, "active") == 1)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert _count(run, "completed") == 1


def test_it_says_that_it_works_only_once_the_server_has_answered(start: Start) -> None:
    """A worker that is stopped while it waits for the server has never worked."""
    worker = start(SHOP, "--queue=mail", "--no-alerts", redis_url="redis://127.0.0.1:1")
    wait_until(lambda: "worker of queue mail waits: no server at redis://127.0.0.1:1" in worker.log, within=60)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert "working on" not in worker.log
    assert "worker of queue mail stops before it has begun to work" in worker.log
    assert "worker of queue mail has stopped" in worker.log


def test_a_second_signal_hands_back_at_once(run: Run, start: Start) -> None:
    worker = start(SHOP, "--queue=mail")
    worker.wait_ready()
    run("job", "add", "mail", "welcome", '{"seconds": 600}')
    wait_until(lambda: _count(run, "active") == 1)
    worker.process.send_signal(signal.SIGINT)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert _count(run, "waiting") == 1


def test_a_dead_process_is_replaced_and_the_stop_reaches_all(run: Run, start: Start) -> None:
    workers = start(SHOP, "--processes=2", "--queue=mail")
    workers.wait_ready(2)
    victim = _pid_of_a_handler(run)
    assert victim in workers.children()
    os.kill(victim, signal.SIGKILL)
    workers.wait_ready(3)
    assert "ended (SIGKILL); starting another" in workers.log
    pids = workers.children()
    assert len(pids) == 2
    assert victim not in pids
    assert _pid_of_a_handler(run) in pids

    run("job", "add", "mail", "welcome", '{"seconds": 600}')
    wait_until(lambda: _count(run, "active") == 1)
    workers.process.terminate()
    wait_until(lambda: len(workers.children()) == 1)
    workers.process.terminate()
    assert workers.process.wait(60) == 0
    assert not any(map(alive, pids))
    assert _count(run, "waiting") == 1


def test_the_jobs_of_a_killed_process_go_back_before_their_leases_end(run: Run, start: Start) -> None:
    """Leases are 30 s, so that nothing else hands them back by then; those of the other process stay."""
    workers = start(SHOP, "--processes=2", "--queue=mail", "--concurrency=1")
    workers.wait_ready(2)
    for number in (1, 2):
        run("job", "add", "mail", "welcome", '{"seconds": 600}', f"--id=long-{number}")
    wait_until(lambda: _count(run, "active") == 2)
    os.kill(workers.children()[0], signal.SIGKILL)
    wait_until(lambda: "of queue mail lost its worker; handed back" in workers.log, within=25)
    wait_until(lambda: _count(run, "active") == 2)
    assert workers.log.count("lost its worker") == 1


def test_processes_do_not_outlive_their_supervisor(start: Start) -> None:
    workers = start(SHOP, "--processes=2", "--queue=mail")
    workers.wait_ready(2)
    pids = workers.children()
    workers.process.kill()
    workers.process.wait()
    wait_until(lambda: not any(map(alive, pids)))


def test_the_server_s_url_does_not_show_in_the_children_s_arguments(start: Start, redis_url: str) -> None:
    workers = start(SHOP, "--processes=2", "--queue=mail")
    workers.wait_ready(2)
    for pid in workers.children():
        assert redis_url not in Path(f"/proc/{pid}/cmdline").read_text()


def test_a_function_s_workers_use_the_server_that_was_asked_for(run: Run, start: Start) -> None:
    worker = start("tests.integration.cli.shop:workers")
    worker.wait_ready()
    assert "working on mail, 3 at a time" in worker.log
    assert _pid_of_a_handler(run) == worker.process.pid


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_command_s_server_wins_over_the_app_s_own(run: Run, start: Start, processes: str) -> None:
    worker = start("tests.integration.cli.shop:elsewhere", "--queue=mail", f"--processes={processes}")
    worker.wait_ready(int(processes))
    assert _pid_of_a_handler(run) in [worker.process.pid, *worker.children()]


def test_a_child_process_finds_the_target_s_handlers(run: Run, start: Start) -> None:
    worker = start(SHOP, "--queue=mill")
    worker.wait_ready()
    ground = run("job", "add", "mill", "grind", '{"until": 5}', "--wait", "20s").json()
    assert isinstance(ground, list)
    pid, total = ground
    assert total == 10
    assert pid != worker.process.pid


def test_metrics_and_probes_are_served_for_all_targets(run: Run, start: Start) -> None:
    worker = start(SHOP, "tests.integration.cli.shop:workers", "--queue=mail", "--metrics-port=0")
    worker.wait_ready(2)
    assert _pid_of_a_handler(run) == worker.process.pid
    (url,) = re.findall(r"metrics and health at (\S+)", worker.log)
    assert url.startswith("http://127.0.0.1:")
    found = asyncio.run(scrape(url, "queue", "name"))
    assert found["stockyard_jobs_completed_total mail welcome"] == 1
    assert found["stockyard_worker_concurrency mail"] == 4 + 3
    assert found["stockyard_workers mail"] == 2
    assert asyncio.run(probe(f"{url}/ready"))[0] == 200


def test_each_process_has_a_port_of_its_own(start: Start) -> None:
    port = free_ports(2)
    workers = start(SHOP, "--queue=mail", "--processes=2", f"--metrics-port=localhost:{port}", "--no-alerts")
    workers.wait_ready(2)
    for each in (port, port + 1):
        assert f"metrics and health at http://localhost:{each}" in workers.log
        assert asyncio.run(probe(f"http://localhost:{each}/live"))[0] == 200


def test_metrics_are_served_without_a_worker(redis_url: str, prefix: str, run: Run) -> None:
    run("job", "add", "mail", "welcome")
    where = [f"--app={SHOP}", f"--redis-url={redis_url}", f"--prefix={prefix}"]
    command = [sys.executable, "-m", "stockyard.cli", "metrics", "serve", "--port=0", *where]
    with Forked(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().removeprefix("metrics at ").removesuffix("/metrics\n")
        assert asyncio.run(scrape(url, "queue", "state"))["stockyard_jobs mail waiting"] == 1
        assert asyncio.run(fetch(f"{url}/live"))[0] == 200
        serving.terminate()
    assert serving.returncode == 0


def test_log_lines_of_handlers_are_json_and_name_their_job(run: Run, start: Start) -> None:
    worker = start(SHOP, "--queue=mail", "--queue=mill", "--log-format=json")
    worker.wait_ready(2)
    run("job", "add", "mail", "welcome", '{"name": "Ada"}', "--id=letter", "--wait", "10s")
    run("job", "add", "mill", "grind", '{"until": 5}', "--id=flour", "--wait", "20s")
    lines: list[dict[str, Any]] = [json.loads(each) for each in worker.log.splitlines()]
    told = {each["job"]: each for each in lines if each["logger"] == "shop"}
    assert (told["letter"]["queue"], told["letter"]["attempt"]) == ("mail", 1)
    assert told["letter"]["message"] == "a letter to Ada"
    assert (told["flour"]["queue"], told["flour"]["message"]) == ("mill", "grinding")


def test_workers_watch_and_let_others_watch_when_they_stop(start: Start, raw: "redis.Redis", prefix: str) -> None:
    workers = start(SHOP, "--queue=mail", "--processes=2")
    workers.wait_ready(2)
    leader = f"{prefix}::alerts:shop:leader"
    wait_until(lambda: raw.exists(leader))
    workers.process.terminate()
    assert workers.process.wait(60) == 0
    assert not raw.exists(leader)


def test_workers_leave_watching_to_others_when_told_to(
    run: Run, start: Start, raw: "redis.Redis", prefix: str
) -> None:
    start(SHOP, "--queue=mail", "--no-alerts").wait_ready()
    _pid_of_a_handler(run)
    assert not raw.exists(f"{prefix}::alerts:shop:leader")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tests.integration.cli.shop"], "expected MODULE:ATTR"),
        (["tests.integration.cli.shap:shop"], "there is no module 'tests.integration.cli.shap'"),
        (["tests.integration.cli.shop:shup"], "did you mean 'shop'?"),
        (["tests.integration.cli.shop:not_a_target"], "is a int; expected an App"),
        ([SHOP, "--queue=male"], "unknown queue 'male'; did you mean 'mail'?"),
        ([SHOP, "--queue=returns"], "the worker of queue 'returns' has nothing to run"),
        (["tests.integration.cli.shop:workers", "--concurrency=9"], "--concurrency would be ignored"),
        ([SHOP, "--grace=soon"], "Invalid value for --grace: expected a duration"),
        ([SHOP, "--concurrency=0"], "concurrency must be a whole number"),
        ([SHOP, "--metrics-port=localhost"], "expected [HOST:]PORT, as in 9400"),
        ([SHOP, "--log-format=xml"], "Invalid value"),
        # Found by the process that starts the others, and by those.
        ([SHOP, "--grace=soon", "--processes=2"], "Invalid value for --grace: expected a duration"),
        (["tests.integration.cli.shap:shop", "--processes=2"], "there is no module 'tests.integration.cli.shap'"),
        ([SHOP, "--queue=male", "--processes=2"], "unknown queue 'male'; did you mean 'mail'?"),
        ([SHOP, "--concurrency=0", "--processes=2"], "concurrency must be a whole number"),
    ],
)
def test_a_mistake_ends_it_with_one_message(start: Start, arguments: list[str], complaint: str) -> None:
    worker = start(*arguments)
    assert worker.process.wait(60) == 2
    assert complaint in worker.log
    assert "Traceback" not in worker.log


def _count(run: Run, state: str) -> int:
    counted = run("queue", "counts", "mail", "--json").json()
    assert isinstance(counted, dict)
    return int(counted["mail"][state])


def _pid_of_a_handler(run: Run) -> int:
    return int(run("job", "add", "mail", "welcome", "--wait", "10s").out)


def test_a_metrics_port_that_is_still_in_use_is_waited_for(run: Run, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        worker = start(SHOP, "--queue=mail", f"--metrics-port={port}", "--no-alerts")
        worker.wait_ready()
        assert _pid_of_a_handler(run) == worker.process.pid
        assert "waiting for it, and starting without it" in worker.log
    wait_until(lambda: f"metrics and health at http://127.0.0.1:{port}" in worker.log)
    assert asyncio.run(probe(f"http://127.0.0.1:{port}/live"))[0] == 200


PROGRAM = """
from stockyard import Job, Topology

shop = Topology("shop")
mail = shop.queue("mail")


@mail.handler("welcome")
async def welcome(job: Job[object]) -> int:
    return ANSWER
"""


def test_a_change_of_the_source_starts_it_again(run: Run, redis_url: str, prefix: str, tmp_path: Path) -> None:
    source, log = tmp_path / "desk_in_work.py", tmp_path / "log"
    source.write_text(PROGRAM.replace("ANSWER", "1"))
    where = [f"--redis-url={redis_url}", f"--prefix={prefix}"]
    command = [sys.executable, "-m", "stockyard.cli", "worker", "desk_in_work:shop", "--reload", *where]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"}
    with log.open("w") as file, subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=file) as worker:
        try:
            wait_until(lambda: log.read_text().count("working on mail") == 1, within=90)
            assert run("job", "add", "mail", "welcome", "--wait", "20s").json() == 1
            source.write_text("not python")
            wait_until(lambda: "NameError: name 'python' is not defined" in log.read_text(), within=90)
            source.write_text(PROGRAM.replace("ANSWER", "2"))
            wait_until(lambda: log.read_text().count("working on mail") == 2, within=90)
            assert run("job", "add", "mail", "welcome", "--wait", "20s").json() == 2
        finally:
            worker.terminate()
        assert worker.wait(60) == 0
    assert f"{source} has changed; starting again" in log.read_text()

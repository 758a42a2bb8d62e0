"""Signals: a worker leaves them to the program that it is a part of, unless it owns the process."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from stockyard import App, ConfigError, Job, Topology
from tests.support.program import Program

PROGRAM = """
from stockyard import App, Job, Topology

topology = Topology("test")
queue = topology.queue("q")


@queue.handler("x")
async def x(job: Job[int]) -> None:
    print("ran", job.data, flush=True)


App(topology).worker("q").run_forever()
print("ended", flush=True)
"""


async def nothing(job: Job[int]) -> None: ...


@pytest.fixture
def app(redis_url: str, prefix: str) -> App:
    topology = Topology("test")
    topology.queue("q")
    return App(topology, redis_url, prefix=prefix)


async def test_a_worker_in_a_loop_of_another_program_leaves_the_signals_alone(app: App) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with app:
        worker = app.worker("q", nothing)
        running = asyncio.create_task(worker.run())
        await worker.ready.wait()
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
        await worker.stop()
        await running


@pytest.mark.parametrize("where", ["option", "run"])
async def test_it_stops_by_signals_if_that_is_asked_for(app: App, where: str) -> None:
    async with app:
        worker = app.worker("q", nothing, handle_signals=where == "option")
        running = asyncio.create_task(worker.run(handle_signals=True) if where == "run" else worker.run())
        await worker.ready.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 60)
        assert not worker.is_running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_run_forever_works_until_a_signal_and_closes_the_app(
    app: App, redis_url: str, prefix: str, number: signal.Signals
) -> None:
    environment = {**os.environ, "REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix}
    async with app:
        await app.queue("q").add("x", 7)
        with Program(
            [sys.executable, "-X", "dev", "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout is not None
            assert await asyncio.to_thread(program.stdout.readline) == "ran 7\n"
            program.send_signal(number)
            assert await asyncio.to_thread(program.stdout.readline) == "ended\n"
            assert await asyncio.to_thread(program.wait, 15) == 0
        assert await app.queue("q").workers() == []


async def test_run_forever_is_refused_where_a_loop_runs(app: App) -> None:
    async with app:
        with pytest.raises(ConfigError, match=r"await worker\.run\(\)"):
            app.worker("q", nothing).run_forever()

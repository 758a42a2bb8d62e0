"""Processes that use one cache, and what their loaders did, noted in lists of the server."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any, Self

from stockyard import App, Settings, Topology
from tests.support.forked import Forked
from tests.support.interpreter import hold_interpreter
from tests.support.plain_client import PlainClient

LOCK = "1s"
LOCK_SECONDS = 1.0


def open_app() -> App:
    settings = Settings.load(os.environ["CACHE_TEST_URL"], prefix=os.environ["CACHE_TEST_PREFIX"], dotenv=None)
    return App(Topology("test"), settings=settings)


def note(kind: str) -> None:
    """Write down that this process did something."""
    PlainClient(os.environ["CACHE_TEST_URL"]).rpush(f"{os.environ['CACHE_TEST_PREFIX']}-notes:{kind}", os.getpid())


async def ask(callers: str, seconds: str) -> None:
    """Ask for one key by many callers at once, of a loader that takes so long."""

    async def load() -> int:
        note("loaded")
        await asyncio.sleep(float(seconds))
        return os.getpid()

    async with open_app() as app:
        cache = app.cache("c", int, lock=LOCK)
        answers = await asyncio.gather(*(cache.get_or_set("k", load) for _ in range(int(callers))))
        print(*answers, flush=True)


async def load_deaf(seconds: str) -> None:
    """Load with a loader that blocks this process's loop and interpreter for so long."""

    async def load() -> int:
        note("loaded")
        hold_interpreter(float(seconds))
        note("ended")
        return os.getpid()

    async with open_app() as app:
        print(await app.cache("c", int, lock=LOCK).get_or_set("k", load), flush=True)


async def load_slowly(seconds: str) -> None:
    """Load in a thread, as a plain function, and say afterwards what the cache holds."""

    def load() -> int:
        note("loaded")
        time.sleep(float(seconds))
        note("ended")
        return os.getpid()

    async with open_app() as app:
        cache = app.cache("c", int, lock=LOCK)
        mine = await cache.get_or_set("k", load)
        print(mine, await cache.get("k"), flush=True)


async def fill(megabytes: str, size: str) -> None:
    """Write so many megabytes in entries of such a size."""
    async with open_app() as app:
        cache = app.cache("c", str)
        number = int(float(megabytes) * 2**20 / int(size))
        for at in range(0, number, 50):
            await cache.set_many({f"{os.getpid()}:{at + each}": "x" * int(size) for each in range(50)})
        print(cache.stats().errors, flush=True)


class CacheProcess:
    """One of these programs; it is killed at the end of its block."""

    def __init__(self, url: str, prefix: str, what: str, *arguments: object) -> None:
        self._process = Forked(
            [sys.executable, "-W", "error", "-m", "tests.integration.cache.programs", what, *map(str, arguments)],
            env={**os.environ, "CACHE_TEST_URL": url, "CACHE_TEST_PREFIX": prefix},
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def answer(self, within: float = 60) -> list[str]:
        """Wait until it has ended; return the words that it printed."""
        told, _ = self._process.communicate(timeout=within)
        assert self._process.returncode == 0
        return told.split()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class Notes:
    """What the processes noted, by pid."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def of(self, kind: str) -> list[int]:
        return [int(each) for each in self._client.lrange(f"{self._prefix}-notes:{kind}", 0, -1)]


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))

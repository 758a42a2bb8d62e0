"""Processes that consume a durable channel until they are killed, and what they did, noted on the server."""

import asyncio
import os
import signal
import sys
from typing import Any, Self

from stockyard import App, Channel, Settings, Topology
from stockyard.pubsub import Delivery
from tests.support.forked import Forked
from tests.support.plain_client import PlainClient

RUN_SECONDS = 0.002
"""How long a message takes, so that many are in hand at once."""

FILLS = Channel("fills", int, durable=True, attempts=20, idle="400ms", max_len=None)
DEADLY = Channel("deadly", int, durable=True, attempts=3, idle="400ms")


def note(client: PlainClient, kind: str, value: int) -> None:
    client.rpush(f"{os.environ['FAULTS_PREFIX']}-notes:{kind}", value)


async def consume(buffer: str) -> None:
    """Note each message as done, then acknowledge it."""
    client = PlainClient(os.environ["FAULTS_URL"])
    async with open_app() as app, app.channel(FILLS).consume("ledger", buffer=int(buffer)) as messages:
        async for message in messages:
            assert isinstance(message, Delivery)
            note(client, "done", message.value)
            await message.ack()


async def handle(concurrency: str) -> None:
    """The same by a handler, many at a time."""
    client = PlainClient(os.environ["FAULTS_URL"])

    async def handler(message: Delivery[int]) -> None:
        await asyncio.sleep(RUN_SECONDS)
        note(client, "done", message.value)

    async with open_app() as app:
        await app.channel(FILLS).handle("ledger", handler, concurrency=int(concurrency))


async def choke(_: str) -> None:
    """Kill this process at message 13, wherever it comes."""
    client = PlainClient(os.environ["FAULTS_URL"])

    async def handler(message: Delivery[int]) -> None:
        if message.value == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        note(client, "done", message.value)

    async with open_app() as app:
        await app.channel(DEADLY).handle("ledger", handler)


def open_app() -> App:
    settings = Settings.load(os.environ["FAULTS_URL"], prefix=os.environ["FAULTS_PREFIX"], dotenv=None)
    return App(Topology("faults"), settings=settings)


class ConsumerProcess:
    """One of these programs; it is killed at the end of its block."""

    def __init__(self, url: str, prefix: str, what: str, argument: object = 100) -> None:
        self._process: Forked[bytes] = Forked(
            [sys.executable, "-W", "error", "-m", "tests.faults.channel_programs", what, str(argument)],
            env={**os.environ, "FAULTS_URL": url, "FAULTS_PREFIX": prefix},
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Notes:
    """What the processes noted."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def of(self, kind: str) -> list[int]:
        return [int(each) for each in self._client.lrange(f"{self._prefix}-notes:{kind}", 0, -1)]


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))

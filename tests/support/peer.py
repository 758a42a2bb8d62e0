"""Another implementation of the protocol, as a process whose objects a test calls by their own method names."""

import asyncio
import itertools
import json
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any


class PeerError(Exception):
    """What a call threw in the peer, as ``Name: message``."""


class Peer:
    """A process that answers requests on its input; it serves any number of event loops.

    Args:
        command: what starts it, in `folder`.
        url: of the server that its objects use.
        prefix: of the keys of objects that are made without their own; may be set at any time.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path, url: str, prefix: str) -> None:
        self.prefix = prefix
        self._url = url
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._objects: list[PeerObject] = []
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, name="answers of a peer", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def queue(self, name: str, /, **options: Any) -> "PeerObject":
        """A ``Queue``; options of the peer's own constructor, ``prefix`` among them."""
        return await self.make("Queue", name, **options)

    async def worker(self, name: str, /, **options: Any) -> "PeerObject":
        """A ``Worker`` with the driver's handlers by job name.

        One more option, ``handler``, is the source of a function in the peer's language that runs every job
        instead; it is given the job, its token, and the worker.
        """
        handler = options.pop("handler", None)
        return await self._make("Worker", [name], options, handler=handler)

    async def events(self, name: str, /, **options: Any) -> "PeerObject":
        """A ``QueueEvents`` that reads the stream from its beginning."""
        return await self._make("QueueEvents", [name], {"lastEventId": "0-0", **options})

    async def flows(self, **options: Any) -> "PeerObject":
        """A ``FlowProducer``."""
        return await self._make("FlowProducer", [], options)

    async def make(self, kind: str, /, *args: Any, **options: Any) -> "PeerObject":
        """An object of any class of the peer, from its arguments before the options."""
        return await self._make(kind, list(args), options)

    async def ask(self, operation: str, **request: Any) -> Any:
        """Send one request and return its answer; raises PeerError with what it threw."""
        number = next(self._numbers)
        answer: Future[Any] = Future()
        self._waiting[number] = answer
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": number, "operation": operation, **request}) + "\n")
        self._process.stdin.flush()
        try:
            async with asyncio.timeout(90):
                return await asyncio.wrap_future(answer)
        finally:
            self._waiting.pop(number, None)

    async def close_objects(self) -> None:
        """Close every object; their running jobs are left where they are."""
        await asyncio.gather(*(self.close(each) for each in list(self._objects)))

    async def close(self, made: "PeerObject") -> None:
        """Close one object."""
        self._objects.remove(made)
        await self.ask("close", on=made.handle)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the process; stopping twice is fine."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    async def _make(self, kind: str, args: list[Any], options: dict[str, Any], **more: Any) -> "PeerObject":
        made = PeerObject(self, f"{kind} {next(self._numbers)}")
        chosen = {"prefix": self.prefix, **options}
        await self.ask("make", handle=made.handle, kind=kind, args=args, url=self._url, options=chosen, **more)
        self._objects.append(made)
        return made

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            _settle(self._waiting.pop(answer["number"], None), answer)
        for future in list(self._waiting.values()):
            _settle(future, {"error": "the peer's process ended"})


class PeerObject:
    """An object in a peer: ``await queue.add("echo", {"x": 1})`` calls its method of that name."""

    def __init__(self, peer: Peer, handle: str) -> None:
        self.handle = handle
        self._peer = peer

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any) -> Any:
            return await self._peer.ask("call", on=self.handle, method=method, args=_sent(args))

        return call

    async def job(self, job_id: str, method: str, *args: Any) -> Any:
        """Call a method of a job of this queue."""
        return await self._peer.ask("job", on=self.handle, id=job_id, method=method, args=_sent(args))

    async def run(self, source: str, *args: Any) -> Any:
        """Call a function, given as source in the peer's language, with this object and `args`."""
        return await self._peer.ask("run", on=self.handle, source=source, args=_sent(args))

    async def read(self, what: str) -> list[Any]:
        """What it saw so far: ``errors``; of a worker ``started`` and ``ended``; of QueueEvents ``events``."""
        seen: list[Any] = await self._peer.ask("read", on=self.handle, what=what)
        return seen

    async def close(self) -> None:
        """Close it; a worker leaves its running jobs where they are."""
        await self._peer.close(self)


async def names_of(events: PeerObject) -> list[str]:
    """Names of what a QueueEvents told, in order."""
    return [name for name, _ in await events.read("events")]


async def is_drained(events: PeerObject) -> bool:
    """Whether the last that a QueueEvents told is that nothing is left."""
    return (await names_of(events))[-1:] == ["drained"]


async def is_in(queue: PeerObject, state: str, *job_ids: str) -> bool:
    """Whether these jobs are in that state."""
    return all([await queue.getJobState(job_id) == state for job_id in job_ids])


async def has_counts(queue: PeerObject, **expected: int) -> bool:
    """Whether the queue has so many jobs of each state."""
    return bool(await queue.getJobCounts(*expected) == expected)


def _settle(future: Future[Any] | None, answer: dict[str, Any]) -> None:
    # Nobody waits any more for a call that took too long.
    if future is None or not future.set_running_or_notify_cancel():
        return
    if "error" in answer:
        future.set_exception(PeerError(answer["error"]))
    else:
        future.set_result(answer.get("value"))


def _sent(args: tuple[Any, ...]) -> list[Any]:
    return [{"$object": each.handle} if isinstance(each, PeerObject) else each for each in args]

"""The real PyPI bullmq as a process that tests drive: a request on each line in, an answer on each line out."""

import asyncio
import inspect
import json
import os
import sys
from typing import Any

import bullmq  # type: ignore[import-not-found]

objects: dict[str, tuple[Any, dict[str, list[Any]]]] = {}

_JOB = """id name data opts timestamp delay priority progress returnvalue failedReason stacktrace attemptsMade
attemptsStarted stalledCounter processedOn finishedOn parentKey deduplication_id deferredFailure""".split()


async def hang(job: Any) -> None:
    await asyncio.Event().wait()


async def fail(job: Any) -> None:
    raise RuntimeError(job.data["reason"])


async def fail_for_good(job: Any) -> None:
    raise bullmq.UnrecoverableError(job.data["reason"])


async def fail_first(job: Any) -> int:
    if job.attemptsMade < job.data["times"]:
        raise RuntimeError(f"try {job.attemptsMade + 1}")
    return int(job.attemptsMade + 1)


async def report(job: Any) -> None:
    for value in job.data["progress"]:
        await job.updateProgress(value)
    for line in job.data["lines"]:
        await job.log(line)


# What jobs of each name do; the tests' own handlers and Node's do the same.
handlers: dict[str, Any] = {
    "echo": lambda job: job.data,
    "nothing": lambda job: None,
    "slow": lambda job: asyncio.sleep(job.data["ms"] / 1000),
    "hang": hang,
    "fail": fail,
    "fail_for_good": fail_for_good,
    "fail_first": fail_first,
    "report": report,
    "gather": lambda job: job.getChildrenValues(),
}


async def settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def compiled(source: str) -> Any:
    """The function that a piece of source defines last."""
    names = {"bullmq": bullmq, "asyncio": asyncio}
    exec(source, names)
    return list(names.values())[-1]


async def make(
    handle: str, kind: str, args: list[Any], url: str, options: dict[str, Any], handler: str | None = None
) -> None:
    """Make an object whose errors and events are kept, to be read by `read`."""
    kept: dict[str, list[Any]] = {"errors": [], "events": [], "started": [], "ended": []}
    options = {"connection": url, **options}
    if kind == "Worker":
        own = compiled(handler) if handler else None

        async def run(job: Any, token: str) -> Any:
            kept["started"].append(plain(job))
            if own is not None:
                return await settled(own(job, token, made))
            if job.name not in handlers:
                raise bullmq.UnrecoverableError(f"no handler {job.name}")
            return await settled(handlers[job.name](job))

        made = bullmq.Worker(args[0], run, options)
        made.on("completed", lambda job, result: kept["ended"].append([job.id, "completed"]))
        made.on("failed", lambda job, error: kept["ended"].append([job.id, str(error)]))
    else:
        made = getattr(bullmq, kind)(*args, options)
    if kind == "QueueEvents":
        emit = made.emit

        def keep(name: str, *rest: Any) -> None:
            if name != "error" and ":" not in name:
                kept["events"].append([name, rest[0] if isinstance(rest[0], dict) else {}])
            emit(name, *rest)

        made.emit = keep
    # Its Queue has the method too, without what the method needs.
    if isinstance(made, (bullmq.Worker, bullmq.QueueEvents)):
        made.on("error", lambda error, *_: kept["errors"].append(str(error)))
    objects[handle] = made, kept


async def call(on: str, method: str, args: list[Any]) -> Any:
    return await settled(getattr(objects[on][0], method)(*given(args)))


async def job(on: str, method: str, args: list[Any], **named: str) -> Any:
    found = await bullmq.Job.fromId(objects[on][0], named["id"])
    if not found:
        raise LookupError(f"no job {named}")
    return await settled(getattr(found, method)(*given(args)))


async def run(on: str, source: str, args: list[Any]) -> Any:
    return await settled(compiled(source)(objects[on][0], *given(args)))


async def read(on: str, what: str) -> list[Any]:
    return objects[on][1][what]


async def close(on: str) -> None:
    made, _ = objects.pop(on)
    await made.close(**({"force": True} if isinstance(made, bullmq.Worker) else {}))


operations = {each.__name__: each for each in (make, call, job, run, read, close)}


def given(args: list[Any]) -> list[Any]:
    return [objects[each["$object"]][0] if isinstance(each, dict) and "$object" in each else each for each in args]


def plain(value: Any) -> Any:
    """A value as JSON can carry it: jobs by their fields."""
    if isinstance(value, bullmq.Job):
        return {name: plain(getattr(value, name, None)) for name in _JOB}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


async def answer(number: int, operation: str, request: dict[str, Any]) -> None:
    try:
        said = {"number": number, "value": plain(await operations[operation](**request))}
    except Exception as error:
        said = {"number": number, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)


async def main() -> None:
    requests = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    answering = set()
    # Requests are answered as they end, so that one that waits does not hold up the others.
    while line := await requests.readline():
        request = json.loads(line)
        task = asyncio.create_task(answer(request.pop("number"), request.pop("operation"), request))
        answering.add(task)
        task.add_done_callback(answering.discard)
    # As Node's driver ends: without a word to the server.
    os._exit(0)


asyncio.run(main())

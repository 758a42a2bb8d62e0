"""What a queue's declared handlers take: refuses a job that none of them could run, where it is added."""

from __future__ import annotations

from typing import Any

from stockyard._suggestion import suggestion
from stockyard.errors import HandlerError, PayloadError
from stockyard.topology.queue_spec import QueueSpec


def check_job(spec: QueueSpec, name: str, data: Any, text: str, *, check: bool | None = None) -> None:
    """Refuse a job that the queue's handlers, as far as they are declared in this process, could not run.

    Args:
        spec: the queue; without handlers nothing is refused.
        name: of the job.
        data: its payload as it was given. One of exactly the declared type is not looked into.
        text: its payload as JSON.
        check: whether to look at all. Defaults to what the queue declares.

    Raises:
        HandlerError: no handler has that name.
        PayloadError: the payload does not fit the handler's declared type.
    """
    if not spec.router or not (spec.check if check is None else check):
        return
    handler = spec.router.get(name)
    if handler is None:
        raise HandlerError(
            f"queue {spec.name!r} has no handler for job name {name!r}{suggestion(name, spec.router.names)}. If "
            "another program handles it, add it with check=False, or declare the queue with check=False"
        )
    if handler.payload is Any or type(data) is handler.payload:
        return
    try:
        handler.decode(text.encode())
    except PayloadError as error:
        raise PayloadError(
            f"job {name!r} of queue {spec.name!r} would fail: {error}. If another program handles it, add it with "
            "check=False"
        ) from error

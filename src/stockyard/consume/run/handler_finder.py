"""Finds the handlers of a worker: those of its queue's declaration, of a router, or one for every job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stockyard.errors import HandlerError, InvalidOption
from stockyard.model.handler import Executor, Handler
from stockyard.model.job import Job
from stockyard.model.signature import name_of
from stockyard.topology import QueueSpec, Router


def handlers_of(
    spec: QueueSpec, processor: Callable[[Job[Any]], Any] | Router | None, executor: Executor | None
) -> tuple[list[Handler], Callable[[str], Handler]]:
    """Return a worker's handlers, and what finds one by a job's name.

    Args:
        spec: the queue.
        processor: one handler for every job, a Router, or None for the handlers of the queue's declaration.
        executor: where the worker's one handler runs. Defaults to the declaration's.

    Raises:
        InvalidOption: an executor is named, and there is not one handler that it is for.
        HandlerError: there is nothing to run, or the processor cannot serve.
    """
    if executor is not None and (processor is None or isinstance(processor, Router)):
        raise InvalidOption(
            f"executor={executor!r} is for the one handler that a worker is given: the handlers of a queue's "
            "declaration or of a Router name their own, `@queue.handler('name', executor='process')`"
        )
    if processor is None:
        processor = spec.router
        if not processor:
            raise HandlerError(
                f"the worker of queue {spec.name!r} has nothing to run: give it a processor, or register handlers "
                "on the queue's declaration"
            )
    if isinstance(processor, Router):
        router = processor

        def find(name: str) -> Handler:
            handler = router.get(name)
            if handler is None:
                raise unknown_name(spec.name, name, router.names)
            return handler

        return list(router), find
    single = Handler.of(processor, spec.executor if executor is None else executor, spec.retries)
    return [single], lambda name: single


def check_places(handlers: Sequence[Handler], queue: str, concurrency: int) -> None:
    """Refuse batches that can never be full, as each of their jobs takes one of the worker's places.

    Raises:
        InvalidOption: a handler has a batch of more jobs than the worker runs at a time.
    """
    for handler in handlers:
        if handler.batch > concurrency:
            raise InvalidOption(
                f"handler {name_of(handler.function)} has batch={handler.batch}, and the worker of queue "
                f"{queue!r} runs {concurrency} jobs at a time: each job of a batch counts. Give the queue or the "
                f"worker concurrency={handler.batch} for one call at a time, or a multiple of it for several"
            )


def unknown_name(queue: str, name: str, known: Sequence[str]) -> HandlerError:
    """Return the error of a job whose name nobody serves here."""
    return HandlerError(
        f"no handler for job name {name!r} in this worker of queue {queue!r}; it serves "
        f"{', '.join(known) or 'none'}"
    )

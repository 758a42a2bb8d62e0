"""Runs a processor of the port as the handler of the engine's worker."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from stockyard import errors
from stockyard.compat.bullmq.abort_controller import AbortController
from stockyard.compat.bullmq.custom_errors import DelayedError, WaitingChildrenError
from stockyard.compat.bullmq.failure import Failure, failure_of
from stockyard.compat.bullmq.job import Job, Owner
from stockyard.compat.bullmq.json_values import result_of
from stockyard.compat.bullmq.options import milliseconds
from stockyard.model.backoff_delay import BackoffStrategy
from stockyard.model.job import Job as EngineJob

_PASSED_ON = (errors.RunSignal, errors.ServerError)
"""What the engine reacts to by itself: where the job goes, or that the server is away, which costs no attempt."""


class Emitter(Owner, Protocol):
    """A worker, as its jobs know it."""

    @property
    def id(self) -> str:
        """What its processor is called with as the token."""

    def emit(self, event_name: str, *args: Any) -> None:
        """Call the listeners of an event."""


class Processing:
    """The jobs that a worker's processor runs.

    Args:
        worker: the worker, which emits the events.
        processor: an ``async def`` of a job and a token, and of an ``AbortSignal`` if it takes a third argument.
    """

    def __init__(self, worker: Emitter, processor: Callable[..., Any]) -> None:
        self._worker = worker
        self._processor = processor
        self._takes_signal = takes_signal(processor)
        self._controllers: dict[str, AbortController] = {}
        self._jobs: WeakKeyDictionary[EngineJob[Any], tuple[Job, Any]] = WeakKeyDictionary()

    async def run(self, job: EngineJob[Any]) -> Any:
        """Call the processor; return its result as it is to be stored."""
        seen = Job.of(self._worker, job, self._worker.id)
        self._jobs[job] = (seen, None)
        self._worker.emit("active", seen, "waiting")
        arguments: list[Any] = [seen, self._worker.id]
        if self._takes_signal:
            controller = self._controllers[job.id] = AbortController()
            arguments.append(controller.signal)
        try:
            result = self._processor(*arguments)
            if inspect.isawaitable(result):
                result = await result
            self._jobs[job] = (seen, result)
            return result_of(result)
        except DelayedError:
            raise errors.Delay(milliseconds(seen._delay_ms)) from None
        except WaitingChildrenError:
            raise errors.WaitForChildren from None
        except _PASSED_ON:
            raise
        except Exception as error:
            raise failure_of(error, seen) from error
        finally:
            self._controllers.pop(job.id, None)

    def completed(self, job: EngineJob[Any], result: Any) -> None:
        """Emit ``completed``, with the job as it was stored."""
        seen, own = self._seen(job)
        seen.attemptsMade, seen.finishedOn = job.attempts_made, job.finished_on
        seen.failedReason, seen.returnvalue = None, own
        self._worker.emit("completed", seen, own)

    def failed(self, job: EngineJob[Any], error: BaseException) -> None:
        """Emit ``failed``, with the job as it was stored, and what the processor raised."""
        seen, _ = self._seen(job)
        seen.attemptsMade, seen.finishedOn = job.attempts_made, job.finished_on
        seen.failedReason, seen.stacktrace = job.failed_reason, list(job.stacktrace)
        self._worker.emit("failed", seen, error.error if isinstance(error, Failure) else error)

    def retried(self, job: EngineJob[Any], error: BaseException, delay_ms: int) -> None:
        """Emit ``failed`` of an attempt that is followed by another."""
        seen, _ = self._seen(job)
        self.failed(job, error)
        seen.attemptsMade, seen.delay = job.attempts_made + 1, delay_ms

    def _seen(self, job: EngineJob[Any]) -> tuple[Job, Any]:
        return self._jobs.get(job) or (Job.of(self._worker, job), job.return_value)

    def cancel(self, job_id: str, reason: str | None) -> bool:
        """Set the signal of a job; say whether it runs, and its processor takes one."""
        controller = self._controllers.get(job_id)
        if controller is not None:
            controller.abort(reason)
        return controller is not None

    def cancel_all(self, reason: str | None) -> None:
        """Set the signals of all jobs that run."""
        for controller in tuple(self._controllers.values()):
            controller.abort(reason)


def takes_signal(processor: Callable[..., Any]) -> bool:
    """Say whether a processor takes a third argument."""
    try:
        parameters = inspect.signature(processor).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = [each.kind for each in parameters]
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Parameter.VAR_POSITIONAL in kinds or sum(each in plain for each in kinds) >= 3


class AnyStrategy(dict[str, BackoffStrategy]):
    """The one custom backoff of a worker, whatever its type is called.

    Args:
        strategy: given the attempts made, the type, the error and the job, returns milliseconds, -1 to fail.
    """

    def __init__(self, strategy: Callable[[int, str, BaseException, Any], float]) -> None:
        super().__init__()
        self._strategy = strategy

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> BackoffStrategy:
        def delay(attempts_made: int, _: str, error: BaseException, __: EngineJob[Any]) -> timedelta | None:
            raised, job = (error.error, error.job) if isinstance(error, Failure) else (error, None)
            answer = self._strategy(attempts_made, name, raised, job)
            return None if answer < 0 else milliseconds(answer)

        return delay

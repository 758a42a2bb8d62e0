"""A backend of Django's tasks (Django 6, or the package django-tasks) whose tasks are jobs of our queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import close_old_connections
from django.utils.module_loading import import_string

from stockyard.contrib.django.project import project_app
from stockyard.errors import JobNotFound, UnrecoverableError
from stockyard.model.job import Job, JobState
from stockyard.topology import QueueSpec

try:
    from django.tasks import TaskContext, TaskResult, TaskResultStatus
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskError
    from django.tasks.exceptions import TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
except ImportError:
    from django_tasks import TaskContext, TaskResult, TaskResultStatus
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskError
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started

JOB_NAME = "django-task"
_HIGHEST = 100
"""Django's priorities are -100 to 100, the highest first; of ours, 0 is first."""

_STATUSES = {
    JobState.ACTIVE: TaskResultStatus.RUNNING,
    JobState.COMPLETED: TaskResultStatus.SUCCESSFUL,
    JobState.FAILED: TaskResultStatus.FAILED,
}


class TaskCall(msgspec.Struct, frozen=True):
    """The payload of a task's job.

    Attributes:
        task: where the task is: ``"shop.tasks.send"``.
        backend: alias of the backend in ``TASKS``.
        args, kwargs: of the call, as JSON.
    """

    task: str
    backend: str
    args: list[Any]
    kwargs: dict[str, Any]


class StockyardBackend(BaseTaskBackend):
    """Tasks as jobs: with priority, delay, results, retries and all else that their queue declares.

    Example:
        TASKS = {"default": {"BACKEND": "stockyard.contrib.django.tasks.StockyardBackend", "QUEUES": ["default"]}}
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Add the job of a task; its id is that of the result.

        Args:
            task: what to run, with its queue, priority and time.
            args, kwargs: of the call; values that JSON has.

        Raises:
            InvalidTask: the backend cannot run it.
            ServerError: as of ``Queue.add``.
        """
        self.validate_task(task)
        delay = timedelta(0) if task.run_after is None else task.run_after - datetime.now(UTC)
        call = TaskCall(task.module_path, self.alias, list(args), dict(kwargs))
        queue = project_app().queue(task.queue_name).sync
        job = queue.add(JOB_NAME, call, priority=_HIGHEST - task.priority, delay=max(delay, timedelta(0)))
        result = _result(job, call, TaskResultStatus.READY, task)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """Read a result by its id, from any process.

        Args:
            result_id: ``TaskResult.id``: the queue and the job's id.

        Raises:
            TaskResultDoesNotExist: there is no such job, or none any more.
        """
        queue, _, job_id = result_id.rpartition("/")
        job = project_app().queue(queue).sync.get_job(job_id) if queue in project_app().topology.names else None
        if job is None or job.name != JOB_NAME:
            raise TaskResultDoesNotExist(result_id)
        try:
            state = job.sync.state()
        except JobNotFound:
            raise TaskResultDoesNotExist(result_id) from None
        call = msgspec.convert(job.data, TaskCall)
        return _result(job, call, _STATUSES.get(state, TaskResultStatus.READY), _task(call.task))


def serve_tasks(queue: QueueSpec) -> None:
    """Let workers of a queue run Django's tasks; other handlers of the queue stay.

    Args:
        queue: as declared in the topology, of a name in ``QUEUES`` of the backend.

    Raises:
        HandlerError: it serves them already.
    """
    queue.handler(JOB_NAME)(run_task)


def run_task(job: Job[TaskCall]) -> Any:
    """Run the task that a job names; the job's retries, timeout and result are the task's.

    Args:
        job: of the name ``JOB_NAME``.

    Raises:
        UnrecoverableError: its module has no such task.
    """
    close_old_connections()
    try:
        task = _task(job.data.task)
        result = _result(job, job.data, TaskResultStatus.RUNNING, task)
        task_started.send(StockyardBackend, task_result=result)
        context = (TaskContext(task_result=result),) if task.takes_context else ()
        try:
            value = task.call(*context, *job.data.args, **job.data.kwargs)
        except Exception:
            if job.attempt >= job.options.attempts:
                _finish(result, TaskResultStatus.FAILED)
            raise
        _finish(result, TaskResultStatus.SUCCESSFUL, value)
        return value
    finally:
        close_old_connections()


def _task(path: str) -> Task:
    try:
        found = import_string(path)
    except ImportError as error:
        raise UnrecoverableError(f"there is no task {path!r}: {error}") from error
    # A payload must not name any function there is.
    if not isinstance(found, Task):
        raise UnrecoverableError(f"{path!r} is no task: it must be declared by @task")
    return found


def _result(job: Job[Any], call: TaskCall, status: TaskResultStatus, task: Task) -> TaskResult:
    started = _moment(job.processed_on)
    result = TaskResult(
        task=task,
        id=f"{job.queue}/{job.id}",
        status=status,
        enqueued_at=_moment(job.timestamp),
        started_at=started,
        last_attempted_at=started,
        finished_at=_moment(job.finished_on),
        args=call.args,
        kwargs=call.kwargs,
        backend=call.backend,
        errors=[TaskError(exception_class_path=_class_in(trace), traceback=trace) for trace in job.stacktrace],
        worker_ids=[job.processed_by or ""] * job.attempts_started,
    )
    if status == TaskResultStatus.SUCCESSFUL:
        object.__setattr__(result, "_return_value", job.return_value)
    return result


def _finish(result: TaskResult, status: TaskResultStatus, value: Any = None) -> None:
    # The class is frozen, and Django's own backends fill it in so.
    for name, content in {"status": status, "finished_at": datetime.now(UTC), "_return_value": value}.items():
        object.__setattr__(result, name, content)
    task_finished.send(StockyardBackend, task_result=result)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _class_in(trace: str) -> str:
    """Return the class that the last line of a traceback names, as a path to import."""
    name = (trace.strip().splitlines() or [""])[-1].partition(":")[0].strip()
    if not all(part.isidentifier() for part in name.split(".")):
        return "builtins.Exception"
    return name if "." in name else f"builtins.{name}"

"""What people may do by the dashboard: each action with its question, run once it was confirmed and audited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stockyard.app import App
from stockyard.dashboard import bulk
from stockyard.dashboard.operations import Operation, Operations
from stockyard.effects.effects import FINDINGS, Settled
from stockyard.errors import InvalidOption, JobNotFound, PayloadError, ScheduleNotFound
from stockyard.model.job import Job
from stockyard.observe.alerts.silencing import silence_existing

Fields = Mapping[str, str]

_OUTCOMES: dict[str, Settled] = {"committed": "committed", "failed": "failed", **FINDINGS}
"""What a form may call the outcome of an effect: as programs do, or as ``stockyard effect resolve`` does."""


@dataclass(frozen=True, slots=True)
class Request:
    """One action that a person has confirmed.

    Attributes:
        app: whose queues they are.
        operations: runs what takes long.
        who: the person.
        fields: what the action is about, by name.
        selected: ids of the jobs that were ticked.
    """

    app: App
    operations: Operations
    who: str
    fields: Fields
    selected: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        value = self.fields.get(name)
        if not value:
            raise InvalidOption(f"the form lacks {name!r}: open the page again")
        return value

    async def job(self) -> Job[Any]:
        """Return the job that it is about; raises JobNotFound."""
        job = await self.app.queue(self["queue"]).get_job(self["id"])
        if job is None:
            raise JobNotFound(self["id"], f"job {self['id']} of queue {self['queue']!r} does not exist (any more)")
        return job


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of action.

    Attributes:
        label: of its button.
        question: what to confirm; names in braces are fields.
        run: does it, and returns what was done, for people; or an operation that goes on.
        is_dangerous: whether it cannot be undone. Defaults to False.
        is_bulk: whether it is about the jobs that are ticked. Defaults to False.
    """

    label: str
    question: str
    run: Callable[[Request], Awaitable[str | Operation]]
    is_dangerous: bool = False
    is_bulk: bool = False

    def asked(self, fields: Fields) -> str:
        """Return the question about certain fields."""
        chosen = fields.get("find") or fields.get("fingerprint")
        text = self.question.format_map(_Blank({**fields, "filter": f" and match “{chosen}”" if chosen else ""}))
        return text[:1].upper() + text[1:]


class _Blank(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "…"


async def _retry(request: Request) -> str:
    job = await request.job()
    state = "completed" if await job.state() == "completed" else "failed"
    await job.retry(state="completed" if state == "completed" else "failed", reset_attempts=True)
    return f"job {job.id} waits again"


async def _promote(request: Request) -> str:
    job = await request.job()
    await job.promote()
    return f"job {job.id} waits"


async def _remove(request: Request) -> str:
    job = await request.job()
    await job.remove()
    return f"job {job.id} is removed"


async def _cancel(request: Request) -> str:
    job = await request.job()
    await job.cancel(f"by {request.who}" if request.who else "")
    return f"job {job.id} is cancelled"


async def _edit(request: Request) -> str:
    then = request.fields.get("then", "")
    if then not in ("", "retry"):
        raise InvalidOption(f"what follows a change of data must be 'retry' or nothing; got {then!r}")
    job = await request.job()
    await job.update_data(json_of(request["data"]))
    if not then:
        return f"the data of job {job.id} is changed"
    await job.retry(reset_attempts=True)
    return f"the data of job {job.id} is changed, and it waits again"


async def _pause(request: Request) -> str:
    await request.app.queue(request["queue"]).pause()
    return f"queue {request['queue']} is paused"


async def _resume(request: Request) -> str:
    await request.app.queue(request["queue"]).resume()
    return f"queue {request['queue']} runs again"


async def _run_schedule(request: Request) -> str:
    queue, schedule_id = request["queue"], request["schedule"]
    found = await request.app.schedules(queue).get(schedule_id)
    if found is None:
        raise ScheduleNotFound(schedule_id, f"queue {queue!r} has no schedule {schedule_id!r}")
    options = found.options
    job = await request.app.queue(queue).add(
        found.job_name,
        found.data,
        check=False,
        priority=options.priority,
        attempts=max(options.attempts, 1),
        backoff=options.backoff,
        lifo=options.lifo,
        timeout=None if options.timeout_ms is None else options.timeout_ms / 1000,
        remove_on_complete=options.remove_on_complete,
        remove_on_fail=options.remove_on_fail,
    )
    return f"job {job.id} of schedule {schedule_id} waits"


async def _remove_schedule(request: Request) -> str:
    if not await request.app.schedules(request["queue"]).remove(request["schedule"]):
        raise ScheduleNotFound(request["schedule"], f"queue {request['queue']!r} has no such schedule")
    return f"schedule {request['schedule']} is ended"


async def _freeze(request: Request) -> str:
    seconds = await request.app.all_limits.freeze(request["limits"], request["duration"])
    return f"the limits {request['limits']} are frozen for {seconds:.0f} s"


async def _thaw(request: Request) -> str:
    if not await request.app.all_limits.thaw(request["limits"]):
        return f"the limits {request['limits']} were not frozen any more"
    return f"the limits {request['limits']} are thawed"


async def _settle(request: Request) -> str:
    outcome = _OUTCOMES.get(request["outcome"])
    if outcome is None:
        raise InvalidOption(
            f"the outcome of an effect must be one of {', '.join(_OUTCOMES)}; got {request['outcome']!r}"
        )
    text = request.fields.get("value", "").strip()
    if text and outcome != "committed":
        raise InvalidOption("only an effect that was applied has a value: leave it empty")
    record = await request.app.effects.settle(
        request["effect"],
        outcome,
        source=f"person ({request.who})" if request.who else "person",
        value=json_of(text) if text else None,
        note=request.fields.get("note", ""),
        queue=request["queue"],
    )
    return f"effect {record.key} is {record.outcome}"


async def _silence(request: Request) -> str:
    rule, subject = request["rule"], request["subject"]
    app, duration = request.app, request["duration"]
    await silence_existing(app.alerts, app.topology, rule, subject, duration=duration, reason=f"by {request.who}")
    return f"{rule} of {subject} is silent for {duration}"


async def _unsilence(request: Request) -> str:
    fields = request.fields
    if not await request.app.alerts.unsilence(fields.get("rule") or None, fields.get("subject") or None):
        return "there was no such silence any more"
    return "the silence is ended"


async def _halt(request: Request) -> str:
    key = request.fields.get("key") or None
    await request.app.halt(request["queues"], key=key, reason=request["reason"], by=request.who or "dashboard")
    return f"{request['queues']} is halted"


async def _resume_halt(request: Request) -> str:
    key = request.fields.get("key") or None
    if not await request.app.resume(request["queues"], key=key, by=request.who or "dashboard"):
        return f"{request['queues']} was not halted any more"
    return f"{request['queues']} goes on"


async def _resume_key(request: Request) -> str:
    await request.app.queue(request["queue"]).keys.resume(request["key"])
    return f"key {request['key']} goes on with its next job"


async def _skip_key(request: Request) -> str:
    job_id = await request.app.queue(request["queue"]).keys.skip(request["key"])
    return f"job {job_id} is removed, and key {request['key']} goes on"


async def _replay_key(request: Request) -> str:
    job_id = await request.app.queue(request["queue"]).keys.replay(request["key"])
    return f"job {job_id} of key {request['key']} runs again"


async def _stop(request: Request) -> str:
    operation = request.operations.find(request["operation"])
    if operation is None:
        raise InvalidOption(f"this dashboard runs no operation {request['operation']!r}: open the page again")
    if operation.is_over:
        return "the operation was over already"
    operation.is_stopped = True
    return "the operation stops after its step"


async def _selected(request: Request) -> Operation:
    return bulk.change_selected(
        request.app, request.operations, request.who, request["queue"], request["verb"], request.selected
    )


async def _matching(request: Request) -> Operation:
    fields = request.fields
    return bulk.change_matching(
        request.app,
        request.operations,
        request.who,
        request["queue"],
        request["verb"],
        request["state"],
        bulk.Filter(fields.get("find", ""), fields.get("fingerprint", "")),
    )


def json_of(text: str) -> Any:
    """Return what JSON text says; raises PayloadError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PayloadError(f"the data must be JSON: {error}") from error


ACTIONS: dict[str, Action] = {
    "retry": Action("Retry", "Run job {id} of {queue} again?", _retry),
    "promote": Action("Run now", "Let job {id} of {queue} run now instead of later?", _promote),
    "remove": Action("Remove", "Remove job {id} of {queue} for good?", _remove, is_dangerous=True),
    "cancel": Action(
        "Cancel", "Cancel job {id} of {queue}? It fails without a retry.", _cancel, is_dangerous=True
    ),
    "edit": Action("Save data", "Change the data of job {id} of {queue}?", _edit),
    "pause": Action("Pause", "Pause {queue}? No job starts until it is resumed.", _pause),
    "resume": Action("Resume", "Let the jobs of {queue} start again?", _resume),
    "run_schedule": Action("Run now", "Add a job of schedule {schedule} of {queue} now?", _run_schedule),
    "remove_schedule": Action(
        "End", "End schedule {schedule} of {queue}? Its next run is removed.", _remove_schedule, is_dangerous=True
    ),
    "freeze": Action("Freeze", "Hold all calls under the limits {limits} for {duration}?", _freeze),
    "thaw": Action("Thaw", "Let calls under the limits {limits} go on?", _thaw),
    "settle": Action(
        "Settle",
        "Record that effect {effect} is {outcome}? Check it at the venue first.",
        _settle,
        is_dangerous=True,
    ),
    "silence": Action("Silence", "Send no notification of {rule} of {subject} for {duration}?", _silence),
    "unsilence": Action("End silence", "Send notifications again?", _unsilence),
    "halt": Action("Halt", "Halt {queues}? No job of it starts until it is resumed.", _halt, is_dangerous=True),
    "resume_halt": Action("Resume", "End the halt of {queues}? Its jobs start again.", _resume_halt),
    "replay_key": Action(
        "Run again", "Run the failed job of key {key} of {queue} again, before the next?", _replay_key
    ),
    "resume_key": Action(
        "Go on", "Let key {key} of {queue} go on with its next job? The failed one stays.", _resume_key
    ),
    "skip_key": Action(
        "Skip",
        "Remove the failed job of key {key} of {queue}, and go on with the next?",
        _skip_key,
        is_dangerous=True,
    ),
    "stop": Action("Stop", "Stop after the current step? What is done stays done.", _stop),
    "selected": Action(
        "Change selected", "{verb} the selected jobs of {queue}?", _selected, is_dangerous=True, is_bulk=True
    ),
    "matching": Action(
        "Change all", "{verb} all jobs of {queue} that are {state}{filter}?", _matching, is_dangerous=True
    ),
}
"""By the name that forms use."""

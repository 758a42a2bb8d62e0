"""What a job can do through the store: the port behind every job that is not in a child process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from stockyard._aio.portal import Portal
from stockyard._store.jobs import cancelling, children, coalescing, editing, families, finishing, indexing, reading
from stockyard._store.jobs.rows import stored_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.effects.gate import EffectGate
from stockyard.errors import InvalidOption, JobLocked, JobNotFound, JobStateError
from stockyard.events.results import Results
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.effect_port import EffectReport, EffectRequest, EffectStart
from stockyard.model.family import ChildKind, ChildrenPage
from stockyard.model.handler import Handler
from stockyard.model.job import ENDED_STATES, Job, JobState, ResetAttempts
from stockyard.model.payload import Decoder, encode_payload

S = TypeVar("S", bound=msgspec.Struct)


class StoredJobs:
    """The jobs of one queue, one at a time.

    Args:
        keyspace: the queue.
        results: awaits ends of its jobs.
        find: gives the declared handler of a job's name, or None.
        portal: for callers without a loop.
        effects: the gate before their effects. Defaults to one of a venue that promises nothing.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        results: Results,
        find: Callable[[str], Handler | None],
        portal: Portal,
        effects: EffectGate | None = None,
    ) -> None:
        self._keyspace = keyspace
        self._results = results
        self._find = find
        self._portal = portal
        self._effects = effects or EffectGate(keyspace)

    async def update_progress(self, job_id: str, value: Any) -> None:
        text = encode_payload(value, what=f"progress of job {job_id}")
        self._check(job_id, await editing.write_progress(self._keyspace, job_id, text))

    async def log(self, job_id: str, line: str) -> int:
        count = await editing.append_log(self._keyspace, job_id, line)
        self._check(job_id, count)
        return count

    async def logs(self, job_id: str, start: int, end: int, *, newest_first: bool = False) -> list[str]:
        first, last = checks.place("start", start), checks.place("end", end)
        if not newest_first:
            return await editing.read_logs(self._keyspace, job_id, first, last)
        # The newest line is at -1, the one before at -2: ``~`` makes that of 0 and 1, and the oldest of -1.
        lines = await editing.read_logs(self._keyspace, job_id, ~last, ~first)
        return lines[::-1]

    async def log_count(self, job_id: str) -> int:
        return await editing.count_logs(self._keyspace, job_id)

    async def state(self, job_id: str) -> JobState:
        return JobState((await reading.read_state(self._keyspace, job_id)).state)

    async def update_data(self, job_id: str, data: Any) -> None:
        text = encode_payload(data, what=f"the payload of job {job_id}")
        self._check(job_id, await editing.write_data(self._keyspace, job_id, text))
        if self._keyspace.indexed and (job := await self.get_job(job_id)) is not None:
            await indexing.note(self._keyspace, [(text, job.timestamp, job_id)])

    async def clear_logs(self, job_id: str, keep: int) -> None:
        await editing.clear_logs(self._keyspace, job_id, keep)

    async def change_delay(self, job_id: str, delay: Duration) -> int:
        length = milliseconds(delay, option="delay")
        self._check(job_id, await editing.change_delay(self._keyspace, job_id, length), needs="delayed")
        return length

    async def change_priority(self, job_id: str, priority: int, *, lifo: bool) -> None:
        checks.flag("lifo", lifo)
        self._check(job_id, await editing.change_priority(self._keyspace, job_id, priority, lifo=lifo))

    async def retry(self, job_id: str, *, state: str = "failed", reset_attempts: ResetAttempts = False) -> None:
        checks.one_of("state", state, ENDED_STATES)
        if not isinstance(reset_attempts, bool) and reset_attempts not in ("made", "started"):
            raise InvalidOption(
                f"reset_attempts must be True or False, 'made' or 'started'; got {checks.shown(reset_attempts)}"
            )
        found = await editing.retry(self._keyspace, job_id, state=state, reset_attempts=reset_attempts)
        if isinstance(found, str):
            hint = "; retry(state='completed') runs it again" if found == JobState.COMPLETED else ""
            raise JobStateError(
                job_id, f"job {job_id} of queue {self._keyspace.queue!r} is {found}, and not {state}{hint}"
            )
        if found == ReplyCode.JOB_EXPIRED:
            raise expired_error(self._keyspace.queue, job_id, await self.get_job(job_id))
        self._check(job_id, found)
        await coalescing.settle(self._keyspace, [job_id], by_hand=True)

    async def promote(self, job_id: str) -> None:
        self._check(job_id, await editing.promote(self._keyspace, job_id), needs="delayed")

    async def cancel(self, job_id: str, reason: str) -> None:
        text = f"cancelled: {checks.line('reason', reason)}" if reason else "cancelled"
        code = await cancelling.cancel(self._keyspace, job_id, text)
        if code == ReplyCode.WRONG_STATE:
            raise JobStateError(
                job_id,
                f"job {job_id} of queue {self._keyspace.queue!r} has ended: it cannot be cancelled any more",
            )
        self._check(job_id, code)

    async def remove(self, job_id: str, *, children: bool = True) -> None:
        checks.text("job_id", job_id)
        checks.flag("children", children)
        code = await families.remove(self._keyspace, job_id, children=children)
        if code == 0:
            below = ", or one below it" if children else ""
            raise JobLocked(
                job_id,
                f"job {job_id} of queue {self._keyspace.queue!r} is being run{below}: it cannot be removed",
            )
        if code == ReplyCode.TAKEN_MEANWHILE:
            raise JobLocked(
                job_id,
                f"a worker took a job below job {job_id} of queue {self._keyspace.queue!r} many were "
                "removed; remove it again when that job has ended",
            )
        if code == ReplyCode.OF_SCHEDULE:
            raise JobStateError(
                job_id, f"job {job_id} is the next run of a schedule; remove the schedule instead of its run"
            )
        self._check(job_id, code)

    async def remove_unprocessed_children(self, job_id: str) -> int:
        removed = await families.remove_unprocessed_children(self._keyspace, job_id)
        self._check(job_id, removed)
        return removed

    async def is_held_by_children(self, job_id: str) -> bool:
        return await finishing.is_held_by_children(self._keyspace, job_id)

    async def wait_for_result(self, job_id: str, timeout: Duration | None) -> Any:
        seconds = None if timeout is None else milliseconds(timeout, option="timeout") / 1000
        return await self._results.wait(job_id, seconds)

    def result_decoder(self, name: str) -> Decoder | None:
        handler = self._find(name)
        return None if handler is None else handler.decode_result

    async def get_job(self, job_id: str) -> Job[Any] | None:
        checks.text("job_id", job_id)
        record = await reading.read_job(self._keyspace, job_id)
        return None if record is None else stored_job(record, self._keyspace.queue, self)

    def begin_effect(self, job_id: str, request: EffectRequest) -> Coroutine[Any, Any, EffectStart]:
        return self._effects.begin(job_id, _from_child(request, EffectRequest))

    def report_effect(self, job_id: str, report: EffectReport) -> Awaitable[str]:
        return self._effects.report(_from_child(report, EffectReport))

    async def children_values(self, job_id: str) -> dict[str, Any]:
        return await children.read_values(self._keyspace, job_id)

    async def ignored_failures(self, job_id: str) -> dict[str, str]:
        return await children.read_ignored(self._keyspace, job_id)

    async def failed_children(self, job_id: str) -> list[str]:
        return await children.read_failed(self._keyspace, job_id)

    async def children(self, job_id: str, kind: ChildKind, cursor: int, count: int) -> ChildrenPage:
        return ChildrenPage(*await children.read_page(self._keyspace, job_id, kind, cursor, count))

    async def children_counts(self, job_id: str) -> dict[ChildKind, int]:
        return await children.count_children(self._keyspace, job_id)

    async def detach_from_parent(self, job_id: str) -> bool:
        code = await children.detach(self._keyspace, job_id)
        if code == ReplyCode.PARENT_MISSING:
            raise JobNotFound(
                job_id, f"the parent of job {job_id} of queue {self._keyspace.queue!r} does not exist"
            )
        self._check(job_id, code)
        return code == 1

    def blocking(self, target: Any) -> Any:
        return self._portal.blocking(target, needs_loop=("wait_for_result",))

    def _check(self, job_id: str, code: int, needs: str = "") -> None:
        where = f"job {job_id} of queue {self._keyspace.queue!r}"
        if code == ReplyCode.JOB_MISSING:
            raise JobNotFound(job_id, f"{where} does not exist (any more)")
        if code == ReplyCode.WRONG_STATE:
            raise JobStateError(job_id, f"{where} is not {needs}")


def expired_error(
    queue: str, job_id: str, job: Job[Any] | None, *, remedy: str = "add a new job in its place"
) -> JobStateError:
    """Return the refusal to run a job again that has expired; ``job`` is None where it was removed meanwhile."""
    moment = None if job is None else job.expires_at
    when = "" if moment is None else f" at {datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return JobStateError(
        job_id,
        f"job {job_id} of queue {queue!r} expired{when}: a worker would drop it without running it; {remedy}",
    )


def _from_child(given: S, kind: type[S]) -> S:
    """Return an argument, which comes as plain values from a child process."""
    return given if isinstance(given, kind) else msgspec.convert(given, kind)

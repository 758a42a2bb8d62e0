"""A job comes out of its row as it went in; rows that are no jobs are refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stockyard import (
    Backoff,
    Deduplication,
    InvalidOption,
    Job,
    JobOptions,
    Keep,
    ParentRef,
    PayloadError,
    Topology,
)
from stockyard._logging import current_job
from stockyard.outbox.stored_job import PendingRow, encode_options, new_row, stored_add

NOW = 1_700_000_000_000
QUEUE = Topology("shop").queue("orders", attempts=3, backoff="2s")


def pending(**changes: Any) -> PendingRow:
    row = new_row(QUEUE, "submit", {"n": 1}, {}, check=None, now=NOW)
    fields = {"sequence": 1, "attempts": 0, **row}
    del fields["created_at"]
    return PendingRow(**{**fields, **changes})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"priority": 7, "lifo": True, "attempts": 1, "backoff": None},
        {"backoff": Backoff.exponential("1s", maximum="1m", jitter=0.5), "timeout": "9s"},
        {"remove_on_complete": True, "remove_on_fail": Keep.within("1h", 5)},
        {"remove_on_complete": 3, "remove_on_fail": False},
        {"deduplication": Deduplication("x", ttl="5s", extend=True)},
        {"parent": ParentRef("mail", "m-1", "other"), "on_failure": "fail_parent"},
        {"keep_logs": 3, "stack_trace_limit": 0, "size_limit": 99, "telemetry": "t", "omit_context": True},
        {"eta": datetime(2030, 1, 1, tzinfo=UTC)},
        {"correlation_id": "o-7", "causation_id": "s/1"},
    ],
)
def test_options_come_back(options: dict[str, Any]) -> None:
    row = new_row(QUEUE, "submit", {"n": 1}, {**options, "job_id": "o-1"}, check=None, now=NOW)
    added = stored_add(pending(options=row["options"], job_id=row["job_id"]))
    assert added.options == QUEUE.defaults.merged(**options, job_id="o-1")
    assert (added.name, added.data) == ("submit", '{"n":1}')


def test_a_row_remembers_the_job_whose_handler_adds_it() -> None:
    cause: Any = Job("s-1", "evaluate", {}, JobOptions(correlation_id="o-7"), "signals", NOW, None)  # type: ignore[arg-type]
    reset = current_job.set(cause)
    try:
        options = stored_add(pending(**_named(new_row(QUEUE, "submit", {}, {}, check=None, now=NOW)))).options
    finally:
        current_job.reset(reset)
    assert (options.correlation_id, options.causation_id) == ("o-7", "signals/s-1")


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {"options": row["options"], "job_id": row["job_id"]}


def test_usual_options_take_no_room() -> None:
    assert encode_options(JobOptions()) == "{}"


def test_a_delay_becomes_a_time() -> None:
    row = new_row(QUEUE, "submit", None, {"delay": "1m"}, check=None, now=NOW)
    options = stored_add(pending(options=row["options"])).options
    assert options.placed(NOW + 20_000).delay_ms == 40_000
    assert options.placed(NOW + 90_000).delay_ms == 0


def test_ids_are_unique() -> None:
    ids = {(row.id, row.job_id) for row in (pending() for _ in range(100))}
    assert len(ids) == 100
    assert all(job_id == f"outbox-{row_id}" for row_id, job_id in ids)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"options": "[]"}, PayloadError),
        ({"options": '{"priority":"high"}'}, PayloadError),
        ({"data": "{"}, PayloadError),
        ({"data": ""}, PayloadError),
        ({"name": ""}, PayloadError),
        ({"job_id": "12"}, InvalidOption),
        ({"job_id": ""}, InvalidOption),
    ],
)
def test_what_is_no_job_is_refused(changes: dict[str, str], refused: type[Exception]) -> None:
    with pytest.raises(refused):
        stored_add(pending(**changes))

"""The port's options as the engine's, and back."""

from datetime import timedelta
from typing import Any

import pytest

from stockyard.compat.bullmq import options
from stockyard.compat.bullmq.options import add_options, job_options, keep_of, opts_of, parent_of
from stockyard.errors import InvalidOption
from stockyard.model.backoff import Backoff
from stockyard.model.deduplication import Deduplication
from stockyard.model.parent import ParentRef
from stockyard.model.retention import Keep


def test_every_option_has_its_counterpart() -> None:
    chosen = add_options(
        {
            "attempts": 3,
            "priority": 5,
            "lifo": True,
            "delay": 1500,
            "jobId": "order-1",
            "backoff": {"type": "exponential", "delay": 10, "jitter": 0.5},
            "removeOnComplete": {"age": 60, "count": 10},
            "removeOnFail": True,
            "keepLogs": 5,
            "stackTraceLimit": 0,
            "sizeLimit": 100,
            "deduplication": {"id": "x", "ttl": 500, "extend": True, "replace": True},
            "parent": {"id": "7", "queue": "bull:reports"},
            "failParentOnFailure": True,
            "unknown": 1,
        },
        "bull",
    )
    assert chosen == {
        "attempts": 3,
        "priority": 5,
        "lifo": True,
        "delay": timedelta(milliseconds=1500),
        "job_id": "order-1",
        "backoff": Backoff("exponential", 10, 0.5),
        "remove_on_complete": Keep(60, 10),
        "remove_on_fail": True,
        "keep_logs": 5,
        "stack_trace_limit": 0,
        "size_limit": 100,
        "deduplication": Deduplication("x", "500ms", extend=True, replace=True),
        "parent": ParentRef("reports", "7", "bull"),
        "on_failure": "fail_parent",
    }


@pytest.mark.parametrize(
    "opts",
    [
        {"attempts": 3, "delay": 100, "backoff": {"type": "fixed", "delay": 10}},
        {"attempts": 1, "delay": 0, "removeOnComplete": {"age": 60, "count": 1}, "removeOnFail": 7},
        {"attempts": 1, "delay": 0, "deduplication": {"id": "x", "ttl": 500, "replace": True}},
        {"attempts": 1, "delay": 0, "jobId": "a", "priority": 2, "lifo": True, "keepLogs": 3},
        {"attempts": 1, "delay": 0, "parent": {"id": "7", "queue": "bull:q"}, "ignoreDependencyOnFailure": True},
    ],
)
def test_options_come_back(opts: dict[str, Any]) -> None:
    back = opts_of(job_options(opts, "bull"))
    assert {name: back.get(name) for name in opts} == opts


def test_an_id_like_an_integer_is_taken() -> None:
    assert job_options({"jobId": 12, "attempts": 2}, "bull").job_id == "12"
    with pytest.raises(InvalidOption, match="one of the queue's own keys"):
        job_options({"jobId": "wait"}, "bull")


def test_a_short_backoff_is_a_fixed_one() -> None:
    assert job_options({"backoff": 100}, "bull").backoff == Backoff("fixed", 100)
    assert job_options({"backoff": 0}, "bull").backoff is None


@pytest.mark.parametrize(("given", "kept"), [(True, True), (False, False), (5, 5), ({"age": 1}, Keep(1))])
def test_retention(given: Any, kept: Any) -> None:
    assert keep_of(given) == kept


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("bull:q", ParentRef("q", "1", "bull")),
        ("other:q:x", ParentRef("q:x", "1", "other")),
        ("plain", ParentRef("plain", "1")),
    ],
)
def test_a_parent_is_found_by_the_full_name_of_its_queue(place: str, found: ParentRef) -> None:
    assert parent_of({"id": 1, "queue": place}, "bull") == found


def test_the_prefix_of_a_parent_may_hold_colons() -> None:
    assert parent_of({"id": "1", "queue": "a:b:q"}, "a:b") == ParentRef("q", "1", "a:b")


def test_options_that_many_jobs_share_are_checked_once() -> None:
    opts = {"attempts": 7, "backoff": {"type": "fixed", "delay": 10}}
    first = job_options(opts, "bull")
    assert job_options(dict(opts), "bull") is first
    assert job_options({**opts, "attempts": 8}, "bull").attempts == 8
    # Equal in Python, and not the same option.
    assert job_options({"removeOnComplete": True}, "bull").remove_on_complete is True
    assert job_options({"removeOnComplete": 1}, "bull").remove_on_complete == Keep(None, 1)


def test_options_of_one_job_are_checked_each_time() -> None:
    for own in ({"jobId": "a"}, {"timestamp": 1}, {"deduplication": {"id": "a"}}):
        assert job_options(own, "bull") is not job_options(own, "bull")
    of_this = job_options({"parent": {"queue": "bull:orders", "id": "1"}}, "bull").parent
    of_another = job_options({"parent": {"queue": "bull:orders", "id": "1"}}, "desk").parent
    assert of_this is not None
    assert of_another is not None
    assert (of_this.prefix, of_another.prefix, of_another.queue) == ("bull", "bull", "orders")


def test_options_that_are_wrong_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="attempts"):
            job_options({"attempts": -1}, "bull")


def test_what_was_checked_does_not_grow_without_end() -> None:
    for priority in range(1, 600):
        assert job_options({"priority": priority}, "bull").priority == priority
    assert len(options._checked_before) <= options._MOST_CHECKED

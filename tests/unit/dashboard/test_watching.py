"""Looks while somebody watches, samples over time, and operations in steps."""

import asyncio
from collections.abc import Sequence

import pytest

from stockyard.consume.worker_metrics import Histogram
from stockyard.dashboard.feeds import Change, Feeds
from stockyard.dashboard.latency import latency_of_histograms
from stockyard.dashboard.operations import Operation, Operations
from stockyard.dashboard.samples import Samples
from stockyard.errors import JobNotFound, ServerUnavailable
from stockyard.observe.health import QueueHealth
from tests.support.waiting import eventually

EVERY = 0.001


class Watched:
    """A page whose fragments a test sets."""

    def __init__(self, *fragments: str) -> None:
        self.fragments: Sequence[str] = fragments
        self.error: Exception | None = None
        self.looks = 0

    async def look(self) -> Sequence[str]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return self.fragments


async def test_only_what_changed_is_sent() -> None:
    page, feeds = Watched("a", "b"), Feeds()
    changes = feeds.watch("page", page.look, EVERY)
    assert await anext(changes) == Change(["a", "b"], "")
    page.fragments = ["a", "c"]
    assert await anext(changes) == Change(["c"], "")
    page.error = ServerUnavailable("away")
    assert await anext(changes) == Change([], "away")
    page.error = None
    assert await anext(changes) == Change([], "")
    await changes.aclose()


async def test_many_watchers_cost_one_look_and_none_costs_nothing() -> None:
    page, feeds = Watched("a"), Feeds()
    watchers = [feeds.watch("page", page.look, 3600) for _ in range(20)]
    for watcher in watchers:
        assert await anext(watcher) == Change(["a"], "")
    assert (page.looks, feeds.watched) == (1, 1)
    for watcher in watchers:
        await watcher.aclose()
    assert feeds.watched == 0


async def test_a_page_that_cannot_be_drawn_says_so(caplog: pytest.LogCaptureFixture) -> None:
    page, feeds = Watched(), Feeds()
    page.error = ZeroDivisionError("oops")
    changes = feeds.watch("page", page.look, EVERY)
    assert (await anext(changes)).trouble.startswith("this page cannot be drawn")
    assert "oops" in caplog.text
    await changes.aclose()


def queue(completed: int, age: float = 0.0) -> QueueHealth:
    return QueueHealth("q", 0, 0, 0, 0, 0, completed_total=completed, oldest_waiting_age=age)


def test_rates_are_measured_over_ten_seconds() -> None:
    samples = Samples()
    assert samples.rates("q") is None
    for second in range(0, 40, 2):
        samples.add(second, [queue(second * 5, age=second)])
    assert samples.rates("q") == (5.0, 0.0)
    assert samples.rates("other") is None
    assert samples.ended("q") == [5.0] * 19
    assert samples.oldest_waiting("q")[-1] == 38
    assert samples.oldest_waiting("other") == [None] * 20


def test_samples_close_to_each_other_count_once_and_old_ones_go() -> None:
    samples = Samples()
    for at in (0, 0.2, 0.5, 1, 1.1):
        samples.add(at, [queue(0)])
    assert samples.seconds == 1
    samples.add(310, [queue(10)])
    assert samples.seconds == 0
    samples.add(312, [queue(0)])
    assert samples.rates("q") == (0.0, 0.0)


def test_latency_is_the_upper_end_of_a_bucket() -> None:
    histogram = Histogram()
    for _ in range(90):
        histogram.observe(0.004)
    for _ in range(10):
        histogram.observe(2.0)
    found = latency_of_histograms([Histogram()], [histogram])
    assert found == (100, (None, None), (0.005, 2.5))


async def test_an_operation_counts_changes_and_refusals() -> None:
    ended: list[Operation] = []

    async def note(operation: Operation) -> None:
        ended.append(operation)

    async def change(job_id: str) -> None:
        if job_id.endswith("7"):
            raise JobNotFound(job_id, "gone")

    async def work(operation: Operation) -> None:
        operation.total = 250
        await operation.change_each([str(number) for number in range(250)], change)

    operations = Operations(note)
    operation = operations.start("Retry", who="ada", queue="q", work=work)
    await eventually(lambda: ended)
    assert (operation.done, operation.refused_count, operation.state, operation.share) == (225, 25, "done", 1.0)
    assert len(operation.refused) == 20
    assert operations.find(operation.id) is operation


async def test_an_operation_stops_after_its_step() -> None:
    async def note(_: Operation) -> None: ...

    going = asyncio.Event()

    async def work(operation: Operation) -> None:
        async def step() -> int:
            going.set()
            await asyncio.sleep(0)
            return 1

        await operation.repeat(step)

    operations = Operations(note)
    operation = operations.start("Remove", who="ada", queue="q", work=work)
    await going.wait()
    operation.is_stopped = True
    await eventually(lambda: operation.is_over)
    assert operation.state == "stopped"


async def test_an_operation_that_is_cut_off_says_so() -> None:
    async def note(_: Operation) -> None: ...

    async def work(_: Operation) -> None:
        await asyncio.Event().wait()

    operations = Operations(note)
    operation = operations.start("Remove", who="ada", queue="q", work=work)
    await asyncio.sleep(0)
    await operations.aclose()
    assert (operation.state, operation.error) == ("broken off", "the dashboard was stopped")

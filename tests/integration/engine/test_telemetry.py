"""What a tracer is told of jobs and cache loads."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from stockyard import Job, telemetry
from tests.support.tracing import Tracer
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """A tracer that makes this test's spans."""
    chosen = Tracer()
    telemetry.set_tracer(chosen)
    yield chosen
    telemetry.set_tracer(None)


async def test_a_job_is_traced_from_its_add_to_its_end(yard: Yard, tracer: Tracer) -> None:
    async def submit(job: Job[Any]) -> None:
        if job.name == "submit" and job.attempt == 1:
            raise KeyError("nope")

    def of(operation: str) -> list[dict[str, object]]:
        return [span.attributes for span in tracer.ended if span.operation == operation]

    queue = yard.queue()
    job = await queue.add("submit", attempts=2)
    await queue.add_many([("price",), ("price",)])
    await yard.work(submit, concurrency=1)
    await job.wait_for_result("10s")
    await eventually(lambda: sum(int(str(each["ended"])) for each in of("exchange")) == 4)
    assert of("add") == [
        {"queue": "q", "name": "submit", "job": job.id, "was_added": True},
        {"queue": "q", "jobs": 2},
    ]
    runs = [each for each in of("run") if each["job"] == job.id]
    errors = [each.pop("error") for each in runs]
    assert isinstance(errors[0], KeyError)
    assert errors[1] is None
    # The job carries the context of its add.
    of_both = {"queue": "q", "job": job.id, "name": "submit", "delay_ms": 0, "carrier": "add-1"}
    lineage = {"correlation": None, "causation": None}
    assert runs == [
        {**of_both, **lineage, "attempt": 1, "outcome": "Retried"},
        {**of_both, **lineage, "attempt": 2, "outcome": "Completed"},
    ]
    # Each end is written by an exchange that links to its run.
    links = [link for each in of("exchange") for link in cast("list[str]", each["links"])]
    assert len(set(links)) == 4
    assert all(link.startswith("run-") for link in links)
    assert sum(int(str(each["taken"])) for each in of("exchange")) == 4


async def test_a_load_of_a_cache_is_traced(yard: Yard, tracer: Tracer) -> None:
    prices = yard.app.cache("prices")

    async def load() -> int:
        return 7

    assert await prices.get_or_set("A", load) == 7
    assert await prices.get_or_set("A", load) == 7
    loads = [span.attributes for span in tracer.ended if span.operation == "load"]
    assert loads == [{"cache": "prices", "key": "A"}]

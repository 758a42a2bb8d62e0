"""Assertions on the jobs that wait in a queue."""

from dataclasses import dataclass
from typing import Any

import pytest

from stockyard import App, InvalidOption, Queue, Topology
from stockyard.testing import all_enqueued, assert_enqueued, refute_enqueued


@dataclass
class Welcome:
    to: str
    lines: list[int]


@pytest.fixture
def queue(stockyard_topology: Topology, stockyard_app: App) -> Queue:
    stockyard_topology.queue("mail")
    return stockyard_app.queue("mail")


async def test_a_job_is_found_by_a_part_of_its_payload(queue: Queue) -> None:
    await queue.add("welcome", {"to": {"name": "A", "at": "a@b.c"}, "lines": [1, 2]})
    later = await queue.add("welcome", {"to": {"name": "B"}}, delay="5m")
    found = await assert_enqueued(queue, "welcome", {"to": {"name": "B"}}, delay="5m")
    assert found.id == later.id
    assert [job.id for job in await all_enqueued(queue, data={"to": {}})] == ["1", "2"]
    assert await all_enqueued(queue, data={"to": {"name": "A"}, "lines": [1]}) == []
    await assert_enqueued(queue, data={"lines": [1, 2]}, count=1)
    await refute_enqueued(queue, "goodbye")


async def test_a_dataclass_stands_for_its_json(queue: Queue) -> None:
    await queue.add("welcome", Welcome("a", [1]))
    await assert_enqueued(queue, "welcome", Welcome("a", [1]))
    await refute_enqueued(queue, "welcome", Welcome("a", [2]))


async def test_options_of_the_job_are_conditions(queue: Queue) -> None:
    await queue.add("welcome", {}, priority=3, job_id="W1", key="a")
    await assert_enqueued(queue, priority=3, job_id="W1", key="a", count=1)
    wrongs: list[dict[str, Any]] = [{"priority": 0}, {"job_id": "W2"}, {"key": "b"}, {"delay": 0.1}]
    for wrong in wrongs:
        with pytest.raises(AssertionError, match="and found 0"):
            await assert_enqueued(queue, **wrong)


async def test_the_message_lists_what_waits(queue: Queue) -> None:
    with pytest.raises(AssertionError, match=r"expected a job 'welcome'.* found 0\. There wait 0 jobs$"):
        await assert_enqueued(queue, "welcome")
    await queue.add_many([("goodbye", {"to": number}, {"delay": "2s"}) for number in range(25)])
    with pytest.raises(AssertionError) as caught:
        await assert_enqueued(queue, "welcome", {"to": 1}, priority=2, count=2)
    text = str(caught.value)
    assert "expected 2 jobs 'welcome', with data {'to': 1}, with priority 2 in queue 'mail', and found 0" in text
    assert "  'goodbye' {'to': 0} (id 1 in 2000 ms)\n" in text
    assert text.endswith("  and 5 more")
    with pytest.raises(AssertionError, match=r"expected no job of any name.* found 25\. "):
        await refute_enqueued(queue)


async def test_more_jobs_than_a_page_are_found(queue: Queue) -> None:
    await queue.add_many([("tick", number) for number in range(1001)])
    assert len(await all_enqueued(queue)) == 1001
    assert (await assert_enqueued(queue, data=1000)).id == "1001"


async def test_jobs_that_have_started_are_not_waiting(queue: Queue) -> None:
    job = await queue.add("tick", 1)
    await job.remove()
    await refute_enqueued(queue)


async def test_a_count_of_none_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidOption, match="count must be a whole number"):
        await assert_enqueued(queue, count=0)


async def test_jobs_in_the_lines_of_their_keys_wait(stockyard_topology: Topology, stockyard_app: App) -> None:
    stockyard_topology.queue("orders", ordered=True)
    queue = stockyard_app.queue("orders")
    await queue.add_many([("order", number, {"key": "A"}) for number in range(3)])
    assert [job.data for job in await all_enqueued(queue)] == [0, 1, 2]

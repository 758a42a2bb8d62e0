"""How adds are gathered into batches, in the order made, and what an error does to each of them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import pytest

from stockyard._store.jobs.adding import BATCH, NewJob
from stockyard._store.jobs.related_job import RelatedJob
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import MOST_BYTES
from stockyard.errors import JobError, ReplyLost, ServerRefused, ServerUnavailable, SharedWorkCancelled
from stockyard.produce import batcher as module
from stockyard.produce.batcher import Batcher

OPENING = BATCH // 2


class Stream:
    """Notes each batch that is written; ``answer`` says what becomes of the oldest one."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.is_open = False
        self.refuses_to_open: Exception | None = None
        self.answers: dict[str, Any] = {}
        self.errors: deque[Exception | None] = deque()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._sent: deque[list[str]] = deque()

    async def open(self) -> None:
        if self.refuses_to_open is not None:
            raise self.refuses_to_open
        self.is_open = True

    def write(self, jobs: Sequence[Any]) -> None:
        names = [job.id if isinstance(job, RelatedJob) else job.job_id for job in jobs]
        self.batches.append(names)
        self._sent.append(names)

    async def read(self) -> list[Any]:
        await self.may_answer.wait()
        names = self._sent.popleft()
        if self.errors and (error := self.errors.popleft()) is not None:
            raise error
        return [self.answers.get(name, name) for name in names]


@pytest.fixture
async def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    stream = Stream()
    monkeypatch.setattr(module, "AddStream", lambda keyspace, *, durability: stream)
    return stream


@pytest.fixture
async def batcher(stream: Stream) -> Batcher:
    return Batcher(cast("QueueKeyspace", None))


def new(number: int, data: str = "{}") -> NewJob:
    return NewJob(str(number), "x", data, "{}", 0, 0, 0, False)


def related(number: int) -> RelatedJob:
    return RelatedJob(str(number), "x", "{}", "{}", 0, 0, 0, False)


async def outcomes(futures: Sequence[asyncio.Future[Any]]) -> list[Any]:
    return await asyncio.gather(*futures, return_exceptions=True)


async def test_adds_of_one_turn_are_one_batch(batcher: Batcher, stream: Stream) -> None:
    futures = [batcher.add(new(number)) for number in range(7)]
    assert await outcomes(futures) == [str(number) for number in range(7)]
    assert [len(batch) for batch in stream.batches] == [7]


async def test_a_full_batch_leaves_before_the_turn_ends(batcher: Batcher, stream: Stream) -> None:
    stream.is_open = True
    for number in range(OPENING - 1):
        batcher.add(new(number))
    assert stream.batches == []
    batcher.add(new(OPENING))
    assert [len(batch) for batch in stream.batches] == [OPENING]


async def test_later_batches_of_a_turn_are_larger_and_at_most_three_travel(
    batcher: Batcher, stream: Stream
) -> None:
    stream.is_open = True
    stream.may_answer.clear()
    futures = [batcher.add(new(number)) for number in range(5 * BATCH)]
    assert [len(batch) for batch in stream.batches] == [OPENING, BATCH, BATCH]
    stream.may_answer.set()
    assert await outcomes(futures) == [str(number) for number in range(5 * BATCH)]
    assert [int(name) for batch in stream.batches for name in batch] == list(range(5 * BATCH))
    assert all(len(batch) <= BATCH for batch in stream.batches)


async def test_a_batch_is_bounded_by_its_bytes(batcher: Batcher, stream: Stream) -> None:
    large = "x" * (MOST_BYTES // 2)
    futures = [batcher.add(new(number, large)) for number in range(4)]
    assert await outcomes(futures) == ["0", "1", "2", "3"]
    assert [name for batch in stream.batches for name in batch] == ["0", "1", "2", "3"]
    assert all(len(batch) <= 2 for batch in stream.batches)


async def test_a_single_job_larger_than_a_batch_travels_alone(batcher: Batcher, stream: Stream) -> None:
    futures = [batcher.add(new(0, "x" * (2 * MOST_BYTES))), batcher.add(new(1))]
    assert await outcomes(futures) == ["0", "1"]
    assert stream.batches == [["0"], ["1"]]


async def test_a_batch_ends_where_the_kind_of_job_changes(batcher: Batcher, stream: Stream) -> None:
    futures = [batcher.add(job) for job in (new(0), new(1), related(2), related(3), new(4))]
    assert await outcomes(futures) == ["0", "1", "2", "3", "4"]
    assert stream.batches == [["0", "1"], ["2", "3"], ["4"]]


async def test_a_job_that_was_cancelled_before_it_was_sent_is_not_added(batcher: Batcher, stream: Stream) -> None:
    futures = [batcher.add(new(number)) for number in range(3)]
    futures[1].cancel()
    await asyncio.wait(futures)
    assert stream.batches == [["0", "2"]]
    assert [future.cancelled() for future in futures] == [False, True, False]


async def test_a_refused_job_fails_alone(batcher: Batcher, stream: Stream) -> None:
    stream.answers["1"] = JobError("1", "no such parent")
    first, second, third = await outcomes([batcher.add(new(number)) for number in range(3)])
    assert (first, third) == ("0", "2")
    assert isinstance(second, JobError)


async def test_a_refused_batch_fails_and_the_ones_behind_it_do_not(batcher: Batcher, stream: Stream) -> None:
    stream.is_open = True
    stream.errors.append(ServerRefused("full"))
    results = await outcomes([batcher.add(new(number)) for number in range(OPENING + 3)])
    assert all(isinstance(each, ServerRefused) for each in results[:OPENING])
    assert results[OPENING:] == [str(number) for number in range(OPENING, OPENING + 3)]


async def test_a_lost_reply_fails_all_that_travelled_and_is_never_sent_again(
    batcher: Batcher, stream: Stream
) -> None:
    stream.is_open = True
    stream.errors.append(ReplyLost("cut"))
    stream.may_answer.clear()
    futures = [batcher.add(new(number)) for number in range(OPENING + 2 * BATCH)]
    stream.may_answer.set()
    assert {type(result) for result in await outcomes(futures)} == {ReplyLost}
    assert len(stream.batches) == 3


async def test_after_a_lost_reply_batches_are_smaller_until_replies_come_again(
    batcher: Batcher, stream: Stream
) -> None:
    stream.errors.append(ReplyLost("cut"))
    await outcomes([batcher.add(new(0))])
    large = "x" * (MOST_BYTES // 3)
    await outcomes([batcher.add(new(number, large)) for number in range(1, 3)])
    assert stream.batches[1:] == [["1"], ["2"]]
    await outcomes([batcher.add(new(number, large)) for number in range(3, 5)])
    assert stream.batches[3:] == [["3", "4"]]


async def test_what_cannot_be_sent_fails_with_the_reason_and_the_next_turn_tries_again(
    batcher: Batcher, stream: Stream
) -> None:
    stream.refuses_to_open = ServerUnavailable("nobody answers")
    (error,) = await outcomes([batcher.add(new(0))])
    assert isinstance(error, ServerUnavailable)
    stream.refuses_to_open = None
    assert await batcher.add(new(1)) == "1"


async def test_whoever_waits_learns_that_the_call_was_cancelled(batcher: Batcher, stream: Stream) -> None:
    stream.may_answer.clear()
    future = batcher.add(new(0))
    await asyncio.sleep(0)
    assert batcher._task is not None
    batcher._task.cancel()
    (error,) = await outcomes([future])
    assert isinstance(error, SharedWorkCancelled)

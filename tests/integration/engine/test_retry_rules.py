"""Failures that are retried by the class of their exception, and waits that have a maximum."""

from typing import Any

import pytest

from stockyard import Backoff, Job, JobFailed, Router
from tests.support.yard import Yard


class Refused(ConnectionError):
    """The other side does not want it."""


def fail(job: Job[str]) -> None:
    raise {"refused": Refused, "connection": ConnectionError, "value": ValueError}[job.data](job.data)


async def attempts(yard: Yard, what: str) -> int:
    job = await yard.queue().add("fail", what)
    with pytest.raises(JobFailed, match=what):
        await job.wait_for_result(60)
    return (await job.refresh()).attempts_made


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_classes_decide_wherever_the_handler_runs(yard: Yard, executor: Any) -> None:
    yard.queue(attempts=3, autoretry_for=ConnectionError, dont_retry_on=[Refused])
    await yard.work(fail, executor=executor)
    assert [await attempts(yard, each) for each in ("connection", "refused", "value")] == [3, 1, 1]


async def test_a_router_s_handler_follows_its_own_rule_or_the_queue_s(yard: Yard) -> None:
    router = Router()
    router.handler("fail", dont_retry_on=ValueError)(fail)
    router.handler("other")(fail)
    yard.queue(attempts=3, dont_retry_on=ConnectionError)
    await yard.work(router)
    assert [await attempts(yard, each) for each in ("connection", "value")] == [3, 1]
    job = await yard.queue().add("other", "connection")
    with pytest.raises(JobFailed):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 1


async def test_the_maximum_of_a_backoff_is_stored_and_kept(yard: Yard) -> None:
    queue = yard.queue(attempts=4, backoff=Backoff.exponential("1ms", maximum="2ms"))
    await yard.work(fail)
    job = await queue.add("fail", "value")
    assert (await job.refresh()).options.backoff == Backoff("exponential", 1, 0.0, 2)
    with pytest.raises(JobFailed):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 4

"""versioning.admit: jobs start whose version is understood and whose limits admit them; others wait in lines."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stockyard._store.jobs.cancelling import cancel
from stockyard._store.jobs.finishing import LimitedTakeRequest, VersionedLimitedTakeRequest
from stockyard._store.jobs.reading import read_facts
from stockyard._store.jobs.versioning import count_versions, read_versions, set_canary
from stockyard._store.snapshots import Canary, PayloadVersion, VersionJobs
from stockyard.model.limit import Fixed, Limit
from tests.scripts.conftest import Keyspace, record
from tests.scripts.exchange import START

# What holds without versions holds with them.
from tests.scripts.test_admitting_take import (  # noqa: F401
    At,
    Desk,
    test_a_backlog_is_set_aside_in_parts,
    test_a_job_is_admitted_by_all_its_limits_or_counted_by_none,
    test_a_job_that_says_nothing_uses_what_the_queue_declares,
    test_a_job_that_was_removed_holds_nobody,
    test_a_job_without_a_cost_starts_at_once,
    test_a_lane_has_its_reserve,
    test_a_number_is_the_cost_of_the_only_limit,
    test_many_start_together_within_their_limits,
    test_priority_orders_what_waits,
    test_the_admission_of_a_job_is_kept_with_it,
    test_what_was_delayed_by_hand_leaves_its_line,
    test_what_was_promoted_by_hand_waits_for_its_limits_all_the_same,
)
from tests.scripts.test_versioning_take import side


class VersionedDesk(Desk):
    """The same, taken by workers of a release; of the first one, unless another is given."""

    kind: type[LimitedTakeRequest] = VersionedLimitedTakeRequest

    def put(self, job: str, version: int, account: str = "A") -> None:
        """Add a job of a version, which costs one order of an account."""
        use = {"cost": {"orders": 1}, "scope": {"account": account}}
        before = self.keys.get("wait") or []
        self.keys.delete("wait")
        self.keys.put({job: record(opts=json.dumps({"limits": use, "version": version})), "wait": [job, *before]})

    async def reply(self, seconds: float, room: int = 10, release: int = 1, **request: Any) -> Any:
        understood = list(range(1, release + 1))
        return await super().reply(seconds, room, release=release, versions=understood, **request)


@pytest.fixture
def desk(keyspace_at: At, keys: Keyspace) -> Callable[..., VersionedDesk]:
    """Makes the queue, by the further arguments of `Desk`."""

    def make(*limits: Limit, **options: Any) -> VersionedDesk:
        return VersionedDesk(keyspace_at, keys, *limits, **options)

    return make


async def test_limits_and_versions_hold_together(desk: Callable[..., VersionedDesk]) -> None:
    queue = desk(Fixed("orders", 2, per="10s", scope="account"))
    for number in range(6):
        queue.put(f"v{1 + number % 2}-{number}", 1 + number % 2)
    assert await queue.take(0) == ["v1-0", "v1-2"]
    assert queue.lines() == ["v1|;orders:account=A", "v2|;orders:account=A"]
    assert await queue.take(10, 1, release=2) == ["v2-1"]
    # The last call that the limit admits.
    assert await queue.take(10) == ["v1-4"]
    assert await queue.take(20) == []
    assert await queue.take(20, release=2) == ["v2-3", "v2-5"]
    assert queue.lines() == []


async def test_what_is_not_understood_holds_no_other_scope(desk: Callable[..., VersionedDesk]) -> None:
    queue = desk()
    for number in range(120):
        queue.put(f"new-{number}", 2, account=f"A{number}")
    queue.put("old", 1, account="A0")
    assert await queue.take(0) == ["old"]
    assert len(queue.lines()) == 120
    # Lines of another version, all of them due, are passed over.
    queue.put("last", 1, account="A1")
    assert await queue.take(1) == ["last"]
    # The order of A0 and of A1 is used up in this window.
    started = (
        await queue.take(2, 200, release=2)
        + await queue.take(2, 200, release=2)
        + await queue.take(2, 200, release=2)
    )
    assert sorted(started) == sorted(f"new-{number}" for number in range(2, 120))
    assert sorted(await queue.take(10, 200, release=2)) == ["new-0", "new-1"]


async def test_a_cancelled_job_is_taken_by_any_worker_and_uses_no_limit(
    desk: Callable[..., VersionedDesk], keyspace_at: At
) -> None:
    queue = desk()
    queue.put("1", 2)
    queue.put("2", 2)
    assert await queue.take(0) == []
    assert await cancel(keyspace_at(START), "1", "cancelled: no longer wanted") == 0
    assert await queue.take(1) == ["1"]
    assert await queue.take(1, release=2) == ["2"]


async def test_a_worker_wakes_when_a_line_of_its_own_is_due(desk: Callable[..., VersionedDesk]) -> None:
    queue = desk()
    for job, version in (("1", 1), ("2", 1), ("3", 2)):
        queue.put(job, version)
    assert await queue.take(9) == ["1"]
    assert await queue.reply(9.2) == ([], 9.7)
    assert await queue.reply(9.7) == ([], 10)
    assert await queue.take(10) == ["2"]
    # The line of the other release is due all the time, and nothing to this worker.
    assert await queue.reply(30) == ([], 30.5)
    assert await queue.take(30, release=2) == ["3"]


async def test_a_canary_divides_what_limits_admit(
    desk: Callable[..., VersionedDesk], keyspace_at: At, keys: Keyspace
) -> None:
    queue = desk(Fixed("orders", 10, per="10s", scope="account"))
    names = [str(number) for number in range(60)]
    known = {f"release:{release}": str(START) for release in (1, 2)}
    keys.put({"stalled-check:releases": {"canary": "2", "share": "0.5", **known}})
    for name in names:
        queue.put(name, 1)
    canary = [name for name in names if side(0.5, name) == "canary"]
    stable = [name for name in names if name not in canary]
    assert await queue.take(0, 50) == stable[:10]
    assert queue.lines() == ["v1:canary|;orders:account=A", "v1:stable|;orders:account=A"]
    assert await queue.take(0, 50, release=2) == []
    assert await queue.take(10, 4, release=2) == canary[:4]
    assert await queue.take(10, 50) == stable[10:16]
    # Taken back: all that is left runs on the old workers, within the limits.
    await set_canary(keyspace_at(START + 20_000), Canary(2, 0))
    assert queue.lines() == ["v1|;orders:account=A"]
    assert await queue.take(20, 50, release=2) == []
    left = {*canary[4:], *stable[16:]}
    ran: set[str] = set()
    for at in range(20, 90, 10):
        started = await queue.take(at, 50)
        assert len(started) <= 10
        ran.update(started)
    assert ran == left


async def test_lines_from_before_the_queue_had_versions_go_on(desk: Callable[..., VersionedDesk]) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"), ("3", "A"))
    queue.kind = LimitedTakeRequest
    assert await Desk.reply(queue, 0) == (["1"], 0)
    assert queue.lines() == [";orders:account=A"]
    queue.kind = VersionedLimitedTakeRequest
    assert await queue.take(10) == ["2"]
    assert await queue.take(20, release=2) == ["3"]


async def test_what_waits_for_its_limits_is_counted(
    desk: Callable[..., VersionedDesk], keyspace_at: At, keys: Keyspace
) -> None:
    queue = desk()
    for job, version in (("1", 1), ("2", 1), ("3", 2)):
        queue.put(job, version)
    await queue.take(0)
    now = keyspace_at(START + 1000)
    assert (await count_versions(now))[0] == [VersionJobs(1, delayed=1, active=1), VersionJobs(2, delayed=1)]
    assert await read_versions(now) == [PayloadVersion(1, 1, START), PayloadVersion(2, 1, 0)]
    (facts,) = await read_facts([now])
    assert facts.not_understood == 1

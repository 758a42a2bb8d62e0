"""admitting.take: jobs start when the limits of their calls admit them, in order, and hold no others."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from stockyard._store.jobs.admitting import admission_of, take_limits
from stockyard._store.jobs.editing import change_delay
from stockyard._store.jobs.finishing import LimitedTakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits import limiting
from stockyard._store.limits.limiting import LimitsKeyspace
from stockyard._wire.own_keys import limits_base
from stockyard.errors import ConfigError
from stockyard.model.limit import Fixed, Limit
from stockyard.model.limit_use import LimitUse
from stockyard.model.limits import Limits
from stockyard.model.naming import Naming
from stockyard.model.options import JobOptions
from tests.scripts.conftest import Keyspace, Sorted, record
from tests.scripts.exchange import START

At = Callable[[int], QueueKeyspace]
ORDERS = Fixed("orders", 1, per="10s", scope="account")


class Desk:
    """A queue whose jobs call an exchange, taken at given times."""

    kind: type[LimitedTakeRequest] = LimitedTakeRequest

    def __init__(
        self, at: At, keys: Keyspace, *limits: Limit, use: LimitUse | None = None, **options: Any
    ) -> None:
        self._at = at
        self.keys = keys
        self.limits = Limits("x", limits or (ORDERS,), **options)
        self._use = use
        self._waiting: list[str] = []

    def add(self, job: str, priority: int = 0, **use: Any) -> None:
        """Add a job to those that wait."""
        options = {"attempts": 1, "limits": use} if use else {"attempts": 1}
        self.keys.put({job: record(opts=json.dumps(options), priority=priority)})
        if priority:
            self.keys.put({"prioritized": Sorted({job: priority * 2**32})})
        else:
            before = self.keys.get("wait") or []
            if before:
                self.keys.delete("wait")
            self.keys.put({"wait": [job, *before]})

    def add_all(self, *jobs: tuple[str, str]) -> None:
        """Add jobs of accounts, each of which costs one order."""
        for job, account in jobs:
            self.add(job, cost={"orders": 1}, scope={"account": account})

    async def take(self, seconds: float, room: int = 10, **request: Any) -> list[str]:
        """Start what may start at a time; return the ids."""
        return (await self.reply(seconds, room, **request))[0]

    async def reply(self, seconds: float, room: int = 10, **request: Any) -> tuple[list[str], float]:
        """The same with the time, in seconds, when something is due next."""
        keyspace = self._at(START + round(seconds * 1000))
        limits = take_limits(self.limits, JobOptions(use=self._use), keyspace.keys.naming, "q", egress="")
        asked = self.kind(take=room, token="w:1", lock_ms=30_000, limits=limits, **request)
        done = await finish_and_take(keyspace, [], asked)
        due = (done.next_due - START) / 1000 if done.next_due else 0
        return [row.raw_id.decode() for row in done.records], due

    def lines(self) -> list[str]:
        """The lines that jobs wait in."""
        return sorted(self.keys.get("stalled-check:lines") or {})


@pytest.fixture
def desk(keyspace_at: At, keys: Keyspace) -> Callable[..., Desk]:
    """Makes the queue, by the further arguments of `Desk`."""

    def make(*limits: Limit, **options: Any) -> Desk:
        return Desk(keyspace_at, keys, *limits, **options)

    return make


async def test_vector_8_a_limited_scope_keeps_its_order_and_holds_no_other(desk: Callable[..., Desk]) -> None:
    queue = desk()
    queue.add_all(("J1", "A"), ("J2", "A"), ("J3", "B"), ("J4", "A"))
    assert [await queue.take(0, 1), await queue.take(0, 1)] == [["J1"], ["J3"]]
    assert await queue.reply(0, 1) == ([], 5)
    assert await queue.reply(9.999, 1) == ([], 10)
    assert await queue.take(10, 1) == ["J2"]
    assert await queue.take(10, 1) == []
    assert await queue.take(20, 1) == ["J4"]
    assert await queue.reply(20, 1) == ([], 0)


async def test_a_job_that_waits_is_delayed_and_stays_behind_its_line(
    desk: Callable[..., Desk], keys: Keyspace
) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"), ("3", "A"))
    assert await queue.take(1) == ["1"]
    assert keys.get("wait") is None
    assert set(keys.get("delayed")) == {"2", "3"}
    assert {keys.get(job)["delay"] for job in "23"} == {"69000"}
    assert keys.get("marker")["1"] == START + 6000
    assert queue.lines() == [";orders:account=A"]
    queue.add_all(("4", "A"))
    assert await queue.take(2) == []
    assert [await queue.take(at) for at in (10, 20, 30)] == [["2"], ["3"], ["4"]]
    assert await queue.take(40) == []
    assert queue.lines() == []
    assert keys.get("2")["delay"] == "0"


async def test_many_start_together_within_their_limits(desk: Callable[..., Desk]) -> None:
    queue = desk(Fixed("orders", 3, per="10s", scope="account"))
    queue.add_all(*((f"a{number}", "A") for number in range(5)), *((f"b{number}", "B") for number in range(5)))
    assert await queue.take(0) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert await queue.take(10, 3) == ["a3", "a4", "b3"]
    assert await queue.take(10, 3) == ["b4"]


async def test_a_job_is_admitted_by_all_its_limits_or_counted_by_none(desk: Callable[..., Desk]) -> None:
    queue = desk(Fixed("weight", 10, per="60s"), ORDERS)
    queue.add("1", cost={"weight": 8, "orders": 1}, scope={"account": "A"})
    queue.add("2", cost={"weight": 8, "orders": 1}, scope={"account": "B"})
    queue.add("3", cost={"weight": 2, "orders": 1}, scope={"account": "B"})
    # The second waits for its weight, and has used no order of B.
    assert await queue.take(0) == ["1"]
    queue.add("4", cost={"weight": 2, "orders": 1}, scope={"account": "C"})
    assert await queue.take(0) == ["4"]


async def test_a_job_without_a_cost_starts_at_once(desk: Callable[..., Desk]) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"))
    queue.add("free")
    queue.add("none", cost={"orders": 0})
    queue.add("odd", cost="much")
    assert await queue.take(0) == ["1", "free", "none", "odd"]


async def test_a_job_that_says_nothing_uses_what_the_queue_declares(desk: Callable[..., Desk]) -> None:
    queue = desk(use=LimitUse((("orders", 1.0),), (("account", "A"),)))
    queue.add("node")
    queue.add("other")
    assert await queue.take(0) == ["node"]


async def test_a_number_is_the_cost_of_the_only_limit(desk: Callable[..., Desk]) -> None:
    queue = desk(Fixed("orders", 3, per="10s"))
    queue.add("1", cost=2)
    queue.add("2", cost=2)
    assert await queue.take(0) == ["1"]
    both = desk(Fixed("orders", 3, per="10s"), Fixed("weight", 3, per="10s"))
    both.add("3", cost=2)
    assert await both.take(10) == ["2", "3"]


async def test_a_lane_has_its_reserve(desk: Callable[..., Desk]) -> None:
    queue = desk(Fixed("orders", 10, per="10s"), reserve={"cancel": 0.2})
    for number in range(10):
        queue.add(f"s{number}", cost={"orders": 1})
    for number in range(3):
        queue.add(f"c{number}", cost={"orders": 1}, lane="cancel")
    assert await queue.take(0, 20) == [*(f"s{number}" for number in range(8)), "c0", "c1"]


async def test_a_freeze_holds_the_jobs_of_its_scope(desk: Callable[..., Desk], keyspace_at: At) -> None:
    queue = desk(Fixed("orders", 100, per="10s", scope="ip"), freeze_scope="ip", slow_start=0)
    at = keyspace_at(START)
    limits = LimitsKeyspace(at.server, at.keys.naming, "x", clock=lambda: START)
    await limiting.freeze(limits, "ip=default", 3000)
    queue.add("1", cost={"orders": 1})
    queue.add("2", cost={"orders": 1}, scope={"ip": "10.0.0.2"})
    assert await queue.take(0) == ["2"]
    assert await queue.reply(0) == ([], 3)
    assert await queue.take(3) == ["1"]


async def test_a_line_asks_again_though_its_limit_says_it_is_long(
    desk: Callable[..., Desk], keyspace_at: At
) -> None:
    queue = desk(Fixed("orders", 1, per="1d"))
    queue.add("1", cost={"orders": 1})
    queue.add("2", cost={"orders": 1})
    assert await queue.take(0) == ["1"]
    assert await queue.reply(1) == ([], 5)
    at = keyspace_at(START)
    limits = LimitsKeyspace(at.server, at.keys.naming, "x", clock=lambda: START)
    await limiting.set_most(limits, {"orders": 2})
    assert await queue.take(5) == ["2"]


async def test_priority_orders_what_waits(desk: Callable[..., Desk]) -> None:
    queue = desk()
    queue.add("low", priority=9, cost={"orders": 1}, scope={"account": "A"})
    queue.add("high", priority=1, cost={"orders": 1}, scope={"account": "A"})
    assert await queue.take(0) == ["high"]
    assert await queue.take(10) == ["low"]


async def test_a_job_that_was_removed_holds_nobody(desk: Callable[..., Desk], keys: Keyspace) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"), ("3", "A"))
    await queue.take(0)
    keys.delete("2")
    delayed = keys.get("delayed")
    keys.delete("delayed")
    keys.put({"delayed": Sorted({"3": delayed["3"]})})
    assert await queue.take(10) == ["3"]


async def test_what_was_promoted_by_hand_waits_for_its_limits_all_the_same(
    desk: Callable[..., Desk], keys: Keyspace
) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"))
    await queue.take(0)
    keys.delete("delayed")
    keys.put({"wait": ["2"]})
    assert await queue.take(1) == []
    assert await queue.take(10) == ["2"]


async def test_what_was_delayed_by_hand_leaves_its_line(desk: Callable[..., Desk], keyspace_at: At) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"), ("3", "A"))
    assert await queue.take(0) == ["1"]
    assert await change_delay(keyspace_at(START), "2", 60_000) == 0
    assert await queue.take(10) == ["3"]
    assert await queue.take(59) == []
    assert await queue.take(60) == ["2"]


async def test_a_line_whose_keys_were_lost_goes_on(desk: Callable[..., Desk], keys: Keyspace) -> None:
    queue = desk()
    queue.add_all(("1", "A"), ("2", "A"), ("3", "A"))
    await queue.take(0)
    keys.delete("stalled-check:lines")
    assert await queue.take(70) == []
    assert await queue.take(70) == ["2"]
    keys.delete("stalled-check:lines")
    keys.delete("stalled-check:line:;orders:account=A")
    assert await queue.take(200) == ["3"]


async def test_a_backlog_is_set_aside_in_parts(desk: Callable[..., Desk], keys: Keyspace) -> None:
    queue = desk()
    names = [f"a{number}" for number in range(450)]
    for name in names:
        keys.put({name: record(opts='{"limits": {"cost": {"orders": 1}, "scope": {"account": "A"}}}')})
    keys.put({"b": record(opts='{"limits": {"cost": {"orders": 1}, "scope": {"account": "B"}}}')})
    keys.put({"wait": ["b", *reversed(names)]})
    assert await queue.take(0, 50) == ["a0"]
    assert len(keys.get("delayed")) == 200
    assert await queue.take(0, 50) == []
    assert await queue.take(0, 50) == ["b"]
    assert len(keys.get("delayed")) == 449


async def test_a_paused_queue_and_a_rate_keep_their_jobs(desk: Callable[..., Desk], keys: Keyspace) -> None:
    queue = desk(Fixed("orders", 100, per="10s"))
    for number in range(4):
        queue.add(str(number), cost={"orders": 1})
    keys.put({"meta": {"paused": "1"}})
    assert await queue.take(0) == []
    keys.put({"stalled-check:lines": Sorted({"due": START - 1})})
    assert await queue.reply(0) == ([], 0)
    keys.delete("meta")
    taken, _ = await queue.reply(0, limit_max=2, limit_window=60_000)
    assert taken == ["0", "1"]


async def test_the_admission_of_a_job_is_kept_with_it(
    desk: Callable[..., Desk], keyspace_at: At, redis_url: str, prefix: str
) -> None:
    queue = desk(Fixed("orders", 10, per="10s"))
    queue.add("1", cost={"orders": 2})
    queue.add("free")
    await queue.take(0)
    at = keyspace_at(START)
    admission = await admission_of(at, "1")
    assert admission is not None
    (ticket,), egress = admission
    assert (ticket["number"], ticket["at"], egress) == (2, 1000 * START, "default")
    assert await admission_of(at, "free") is None


async def test_what_is_parked_is_described_by_its_options(desk: Callable[..., Desk], keys: Keyspace) -> None:
    queue = desk()
    queue.add("1", cost={"orders": 1}, scope={"account": "A,%"})
    await queue.take(0)
    assert queue.limits.plan({"orders": 1}, {"account": "A,%"}).uses[0].scope == "account=A%2C%25"
    assert keys.get("1")["ats"] == "1"


def test_limits_in_another_slot_are_refused() -> None:
    limits, defaults = Limits("x", [ORDERS]), JobOptions()
    for naming, queue in ((Naming("bull", "family"), "execution:orders"), (Naming("bull", "queue"), "orders")):
        with pytest.raises(ConfigError, match="slots='one'"):
            take_limits(limits, defaults, naming, queue, egress="")
    one: Mapping[str, Any] = take_limits(limits, defaults, Naming("bull", "one"), "orders", egress="")
    assert one["base"] == limits_base(Naming("bull", "one"), "x")
    assert msgspec.msgpack.encode(one)

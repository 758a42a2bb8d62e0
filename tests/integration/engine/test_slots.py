"""Hash tags in the names of keys: what is declared with ``slots`` works, and lies in the slots that it says."""

from typing import Any, get_args

import pytest
import redis

from stockyard import Channel, ConfigError, Flow, InvalidOption, Job, ParentRef, Topology
from stockyard.model.naming import Slots, hash_tag
from tests.support.yard import Yard

QUEUES = ("execution:orders", "execution:fills", "mail")


def declared(slots: Slots) -> Topology:
    topology = Topology("tagged", slots=slots)
    for name in QUEUES:
        topology.queue(name, remove_on_complete=False)
    return topology


async def run(job: Job[Any]) -> Any:
    return sum((await job.children_values()).values()) if job.name == "sum" else job.data


@pytest.mark.parametrize("slots", get_args(Slots))
async def test_all_parts_work_and_every_key_has_a_tag(redis_url: str, prefix: str, slots: Slots) -> None:
    async with Yard(redis_url, prefix, topology=declared(slots)) as yard:
        for queue in QUEUES:
            await yard.work(run, queue=queue)
        assert [await (await yard.app.queue(queue).add("x", 7)).wait_for_result(25) for queue in QUEUES] == [7] * 3
        cache = yard.app.cache("fx", int, ttl="1m")
        assert await cache.get_or_set("eur", lambda: 5, tags=["rates"]) == 5
        fills: Channel[int] = Channel("fills", int, durable=True)
        await yard.app.channel(fills).publish(1)
        assert (await yard.app.flows.get("mail", "1")) is not None
        assert await yard.app.cache("fx", int, ttl="1m").delete("eur")
        assert [len(await yard.app.queue(queue).workers()) for queue in QUEUES] == [1] * 3
    with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
        keys = [key for key in raw.scan_iter(f"*{prefix}*", count=10_000) if isinstance(key, str)]
    assert len(keys) > 10
    assert [key for key in keys if hash_tag(key) == key] == []


@pytest.mark.parametrize("slots", get_args(Slots))
async def test_a_flow_stays_in_its_slot(redis_url: str, prefix: str, slots: Slots) -> None:
    async with Yard(redis_url, prefix, topology=declared(slots)) as yard:
        flow = Flow("sum", "execution:orders", children=[Flow("x", "execution:fills", 3)])
        if slots == "queue":
            with pytest.raises(InvalidOption, match=r"slots='queue'.*slots='one'"):
                await yard.app.flows.add(flow)
            assert await yard.app.queue("execution:fills").count() == 0
            return
        for queue in QUEUES[:2]:
            await yard.work(run, queue=queue)
        tree = await yard.app.flows.add(flow)
        assert await tree.job.wait_for_result(25) == 3
        found = await yard.app.flows.get("execution:orders", tree.job.id)
        assert found is not None
        assert [(child.job.queue, child.job.data) for child in found.children] == [("execution:fills", 3)]


async def test_a_parent_in_another_slot_is_refused(redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix, topology=declared("family")) as yard:
        parent = await yard.app.queue("mail").add("x", 1)
        with pytest.raises(InvalidOption, match="cannot have a parent in queue 'mail'"):
            await yard.app.queue("execution:fills").add("x", 2, parent=parent)
        with pytest.raises(InvalidOption, match="cannot have a parent in queue 'mail'"):
            await yard.app.queue("execution:fills").add("x", 2, parent=ParentRef("mail", parent.id))
        assert await yard.app.queue("execution:fills").count() == 0


async def test_trees_of_several_families_are_added_together(redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix, topology=declared("family")) as yard:
        for queue in QUEUES:
            await yard.work(run, queue=queue)
        trees = await yard.app.flows.add_many(
            [
                Flow("sum", "mail", children=[Flow("x", "mail", 1), Flow("x", "mail", 2)]),
                Flow("sum", "execution:orders", children=[Flow("x", "execution:fills", 3)]),
                Flow("sum", "mail", children=[Flow("x", "mail", 4)]),
            ]
        )

        assert [await tree.job.wait_for_result(25) for tree in trees] == [3, 3, 4]


def test_slots_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="slots must be one of family, queue, one, or None; got 'all'"):
        Topology("t", slots="all")  # type: ignore[arg-type]

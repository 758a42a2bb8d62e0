"""Schedules made, changed, worked and removed by Node and by us: the same keys and the same events."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
import redis

from stockyard import App, Schedules
from tests.interop.conftest import Work
from tests.interop.keyspace import dump
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually

HOUR = 3_600_000
FAR = 1_893_456_000_000


class Side(NamedTuple):
    """One of the two; ``ours`` is None when Node does it."""

    node: NodePeer
    queue: NodeObject
    app: App
    ours: Schedules | None
    work: Work

    async def upsert(self, schedule_id: str, rule: dict[str, Any], template: dict[str, Any] | None = None) -> None:
        if self.ours is None:
            await self.queue.upsertJobScheduler(schedule_id, rule, *([template] if template else []))
        else:
            await self.ours.upsert(schedule_id, **in_our_words(rule, template or {}))

    async def remove(self, schedule_id: str) -> None:
        await (self.queue.removeJobScheduler(schedule_id) if self.ours is None else self.ours.remove(schedule_id))

    async def run(self, **counts: int) -> None:
        """Let a worker run until the queue has so many jobs of each state."""
        if self.ours is None:
            worker = await self.node.worker("q")
            await eventually(lambda: has_counts(self.queue, **counts))
            await worker.close()
        else:
            async with self.work(app=self.app):
                await eventually(lambda: has_counts(self.queue, **counts))


def in_our_words(rule: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    words = {"pattern": "cron", "startDate": "start", "endDate": "end"}
    ours = {words.get(name, name): value for name, value in rule.items()}
    ours |= {name: ours[name] / 1000 for name in ("every", "offset") if name in ours}
    options = {"removeOnComplete": "remove_on_complete", "removeOnFail": "remove_on_fail"}
    ours |= {options.get(name, name): value for name, value in template.get("opts", {}).items()}
    if "backoff" in ours:
        ours["backoff"] = ours["backoff"]["delay"] / 1000
    return ours | {name: template[name] for name in ("name", "data") if name in template}


TEMPLATE: Any = {
    "name": "echo",
    "data": {"text": "Zoë/1", "n": [1.5, None]},
    "opts": {
        "attempts": 3,
        "backoff": {"type": "fixed", "delay": 1000},
        "removeOnComplete": 5,
        "removeOnFail": True,
    },
}


async def making(side: Side) -> None:
    await side.upsert("plain", {"every": HOUR})
    await side.upsert("offset", {"every": HOUR, "offset": HOUR - 7, "limit": 5, "endDate": FAR}, TEMPLATE)
    await side.upsert("started", {"every": HOUR, "startDate": FAR}, TEMPLATE)
    await side.upsert("urgent", {"every": HOUR}, {"name": "echo", "opts": {"priority": 4}})
    await side.upsert("first", {"every": HOUR}, {"name": "echo", "opts": {"lifo": True}})
    await side.upsert("cron", {"pattern": "0 0 3 * * *"})
    await side.upsert("zoned", {"pattern": "30 2 * * MON-FRI", "tz": "Europe/Berlin", "limit": 2}, TEMPLATE)
    await side.upsert(
        "later", {"pattern": "0 0 1 1 *", "tz": "UTC", "startDate": FAR - HOUR, "endDate": FAR + HOUR}
    )
    await side.upsert("now", {"pattern": "0 0 1 1 *", "tz": "UTC", "immediately": True})
    await side.upsert("a:b:c", {"every": HOUR, "startDate": FAR})


async def changing(side: Side) -> None:
    await side.upsert("same", {"every": HOUR, "startDate": FAR}, TEMPLATE)
    await side.upsert("same", {"every": HOUR}, {"name": "other"})
    await side.upsert("slower", {"every": HOUR, "startDate": FAR})
    await side.upsert("slower", {"every": 2 * HOUR, "startDate": FAR})
    await side.upsert("moved", {"every": HOUR, "offset": 5})
    await side.upsert("moved", {"every": HOUR, "offset": 7})
    await side.upsert("to-cron", {"every": HOUR, "startDate": FAR})
    await side.upsert("to-cron", {"pattern": "0 0 1 1 *", "tz": "UTC"})
    await side.upsert("to-every", {"pattern": "0 0 1 1 *", "tz": "UTC"})
    await side.upsert("to-every", {"every": HOUR, "startDate": FAR})
    await side.upsert("waiting", {"every": HOUR})
    await side.upsert("waiting", {"every": HOUR}, {"name": "other"})
    await side.upsert("urgent", {"every": HOUR}, {"opts": {"priority": 4}})
    await side.upsert("urgent", {"every": HOUR}, {"opts": {"priority": 5}})
    await side.upsert("limited", {"pattern": "0 0 1 1 *", "tz": "UTC", "limit": 2}, TEMPLATE)
    await side.upsert("limited", {"pattern": "0 0 1 1 *", "tz": "UTC"})


async def removing(side: Side) -> None:
    await side.upsert("delayed", {"every": HOUR, "startDate": FAR})
    await side.upsert("waiting", {"every": HOUR})
    await side.upsert("kept", {"pattern": "0 0 1 1 *", "tz": "UTC"})
    for schedule_id in ("delayed", "waiting", "nobody"):
        await side.remove(schedule_id)


async def advancing_every(side: Side) -> None:
    await side.upsert("s", {"every": HOUR, "limit": 9}, {**TEMPLATE, "opts": {"attempts": 3, "priority": 2}})
    await side.run(completed=1, delayed=1)


async def advancing_cron(side: Side) -> None:
    await side.upsert(
        "s", {"pattern": "0 0 1 1 *", "tz": "UTC", "immediately": True, "endDate": FAR + HOUR}, TEMPLATE
    )
    await side.run(completed=1, delayed=1)


async def coming_to_the_limit(side: Side) -> None:
    await side.upsert("s", {"pattern": "* * * * * *", "tz": "UTC", "limit": 2}, {"name": "nothing"})
    await side.run(completed=2, delayed=0)


async def changing_what_ran(side: Side) -> None:
    await side.upsert("s", {"every": HOUR}, {"name": "echo"})
    await side.run(completed=1, delayed=1)
    await side.upsert("s", {"every": HOUR}, {"name": "other"})
    await side.upsert("s", {"pattern": "0 0 1 1 *", "tz": "UTC"})


STEPS: dict[str, Callable[[Side], Awaitable[None]]] = {
    step.__name__: step
    for step in (
        making,
        changing,
        removing,
        advancing_every,
        advancing_cron,
        coming_to_the_limit,
        changing_what_ran,
    )
}


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_steps_leave_the_same_keys_and_events(
    node: NodePeer, open_app: Any, prefix: str, raw: "redis.Redis", work: Work, step: str
) -> None:
    left = []
    for name in ("node", "ours"):
        node.prefix = f"{prefix}:{name}"
        app = open_app(prefix=node.prefix, q={})
        side = Side(node, await node.queue("q"), app, None if name == "node" else app.schedules("q"), work)
        await STEPS[step](side)
        left.append(without_moments(dump(raw, node.prefix), with_numbers=step != "changing_what_ran"))
    theirs, ours = left
    assert ours == theirs


def without_moments(keys: dict[str, Any], *, with_numbers: bool) -> dict[str, Any]:
    """Take out what depends on the moment: how long until a run, and where in the hour the first one fell.

    Without the numbers of runs, too, which Node begins again at 1 with each change.
    """
    left: dict[str, Any] = {}
    # Neither of these is BullMQ's: when our workers looked for missing runs, and what they count unasked.
    for name in sorted(each for each in keys if each != "q:stalled-check:schedules" and "metrics" not in each):
        # Those made in the same millisecond lie in the order of their names.
        value: Any = sorted(keys[name]) if name in ("q:repeat", "q:delayed") else keys[name]
        if "rjk" in value:
            value["opts"]["delay"] = value["opts"]["delay"] > 0
            value["delay"] = value["delay"] != "0"
            if not with_numbers:
                del value["opts"]["repeat"]["count"]
        elif name.startswith("q:repeat:") and value["offset"] not in ("0", "5", "7", str(HOUR - 7)):
            value["offset"] = "some"
        plain = re.sub(r"\d{13}$", "TIME", name)
        left[f"{plain} {sum(each.startswith(plain) for each in left)}"] = value
    return left

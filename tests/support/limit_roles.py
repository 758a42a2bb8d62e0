"""What the users of `deploy/users.acl` do with the limits of exchanges."""

from stockyard.limits import Fixed, InFlight, Limits
from tests.support.stage import Stage


async def call_within_limits(stage: Stage) -> None:
    limits = stage.app.limits(
        Limits(
            _name(stage),
            [Fixed("orders", 9, per="1h", used_header="X-Used"), InFlight("open", 1)],
            queues=[stage.name],
        )
    )
    async with limits.take({"orders": 1, "open": 1}) as call:
        await call.observe({"X-Used": "2"})
        await call.settle(refund={"orders": 1})
    await limits.freeze("1h")
    await limits.thaw()
    await limits.set_most({"orders": 5})
    await limits.set_most({"orders": None})


async def look_at_limits(stage: Stage) -> None:
    limits = stage.admin.limits(Limits(_name(stage), [Fixed("orders", 9, per="1h")]))
    async with limits.take():
        pass
    assert _name(stage) in await stage.app.all_limits.names()
    await stage.app.all_limits.status(_name(stage))


def _name(stage: Stage) -> str:
    """The queue's, but for its family: names of limits hold no colons."""
    return stage.name.rpartition(":")[2]

"""All channels of a prefix, as the server knows them: those of other programs, too."""

import time

from stockyard.pubsub import Channel, ServerChannel
from tests.integration.pubsub.conftest import MakeApp
from tests.support.waiting import eventually


async def test_channels_of_another_program_are_listed(make_app: MakeApp) -> None:
    app, other = make_app(), make_app()
    assert await app.channels.on_server() == []
    before = time.time()
    fills = other.channel(Channel("desk:fills", int, durable=True))
    await fills.publish_many([1, 2, 3])
    async with (
        fills.consume("ledger") as messages,
        other.channel(Channel("prices", int)).subscribe(),
        make_app().channel(Channel("prices", int)).subscribe(),
    ):
        await anext(messages)
        kept, live = await app.channels.on_server()
        assert live == ServerChannel("prices", False, listeners=2)
        assert (kept.name, kept.durable, kept.length, kept.dead) == ("desk:fills", True, 3, 0)
        assert kept.first is not None
        assert kept.last is not None
        assert before - 1 < kept.first <= kept.last < time.time() + 1
        assert [(each.name, each.consumers) for each in kept.groups] == [("ledger", 1)]

    async def has_no_listener() -> bool:
        return [each.name for each in await app.channels.on_server()] == ["desk:fills"]

    await eventually(has_no_listener)


async def test_more_channels_than_one_round_trip_looks_at(make_app: MakeApp) -> None:
    app, other = make_app(), make_app()
    for number in range(120):
        await other.channel(Channel(f"c{number:03}", int, durable=True)).publish(number)
    found = await app.channels.on_server()
    assert [(each.name, each.length) for each in found] == [(f"c{number:03}", 1) for number in range(120)]

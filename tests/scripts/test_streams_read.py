"""streams.read: events behind a position, and what shows whether some are gone."""

from typing import Any

import redis

from stockyard._store.link import QueueLink
from stockyard._store.scripts import load

READ = load("streams.read")


async def test_no_stream(link: QueueLink, raw: "redis.Redis") -> None:
    assert await link.run(READ, "0-0", 9) == [None]
    assert raw.exists(link.keys["events"]) == 0


async def test_entries_behind_a_position_with_the_facts_of_the_same_moment(
    link: QueueLink, raw: "redis.Redis"
) -> None:
    raw_: Any = raw
    for at in range(1, 6):
        raw_.xadd(link.keys["events"], {"event": f"e{at}"}, id=f"{at}-0")
    raw_.xtrim(link.keys["events"], maxlen=4, approximate=False)
    entries, added, length, first, last = await link.run(READ, "2-0", 2)
    assert entries == [[b"3-0", [b"event", b"e3"]], [b"4-0", [b"event", b"e4"]]]
    assert (added, length, first, last) == (5, 4, b"2-0", b"5-0")
    assert (await link.run(READ, "5-0", 9))[0] == []
    assert (await link.run(READ, "0-0", 0))[0] == []


async def test_an_emptied_stream(link: QueueLink, raw: "redis.Redis") -> None:
    raw_: Any = raw
    raw_.xadd(link.keys["events"], {"event": "e"}, id="7-3")
    raw_.xtrim(link.keys["events"], maxlen=0, approximate=False)
    assert await link.run(READ, "0-0", 9) == [[], 1, 0, b"", b"7-3"]

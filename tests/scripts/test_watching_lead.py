"""One process watches, and learns what the last one knew."""

import redis

from stockyard._store.link import QueueLink
from stockyard._store.watching import AlertStore


async def test_the_first_watches_and_stays_it(link: QueueLink, raw: "redis.Redis", prefix: str) -> None:
    store = AlertStore(link.server, prefix, "desk")
    assert await store.lead("a", 60_000) == ({}, {})
    assert await store.lead("b", 60_000) is None
    assert await store.lead("a", 60_000) == ({}, {})
    assert 0 < int(raw.pttl(f"{prefix}::alerts:desk:leader")) <= 60_000


async def test_the_next_takes_over_what_is_known(link: QueueLink, raw: "redis.Redis", prefix: str) -> None:
    store = AlertStore(link.server, prefix, "desk")
    await store.lead("a", 60_000)
    assert await store.record("a", {"waiting/q": b'{"n":1}'}, [b"told"])
    await store.silence("*/q", b"hush")
    await store.resign("b")
    assert await store.lead("b", 60_000) is None
    await store.resign("a")
    assert await store.lead("b", 60_000) == ({"waiting/q": b'{"n":1}'}, {"*/q": b"hush"})

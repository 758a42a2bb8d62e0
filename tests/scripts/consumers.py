"""A durable channel as its scripts see it: publish, take with few words, and what groups hold."""

from typing import Any

import redis

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import DurableConnection, TakeReply


async def publish(channel: ChannelKeyspace, *texts: bytes) -> list[str]:
    """Publish texts, all of which are kept."""
    return await durable.publish(channel, texts, keep_ms=None, max_len=None)


async def take(channel: ChannelKeyspace, consumer: str = "me", **options: Any) -> TakeReply:
    """Take for the group ``g``, from the beginning, ten at most of what is fresh."""
    line = DurableConnection(channel)
    plain: dict[str, Any] = {
        "after": "0-0",
        "fresh": 10,
        "claims": 0,
        "idle_ms": 60_000,
        "attempts": 3,
        "reported": -1,
        "behind": None,
        "seconds": 0,
    }
    try:
        return await line.take("g", consumer, **(plain | options))
    finally:
        await line.close()


def held(raw: "redis.Redis", channel: ChannelKeyspace) -> dict[str, tuple[str, int]]:
    """Who has each message of the group ``g``, and how often it was delivered."""
    found: Any = raw.xpending_range(channel.keys.messages, "g", "-", "+", 100)
    return {each["message_id"]: (each["consumer"], each["times_delivered"]) for each in found}


def texts(messages: list[durable.PendingMessage]) -> list[tuple[bytes, int]]:
    """Their texts, and how often each was delivered."""
    return [(each.text, each.deliveries) for each in messages]

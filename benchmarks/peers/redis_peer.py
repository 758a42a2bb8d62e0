"""redis-py itself: plain keys as a cache; and a channel, published by pipelines of `BENCH_GROUP` messages."""

import json
import os
import time

import msgspec
import redis
import uvloop
from cache_calls import VALUE, cache_calls
from entry import JOBS, URL, main
from redis.asyncio import Redis


class Price(msgspec.Struct, frozen=True):
    symbol: str
    number: int
    price: float


async def calls():
    client = Redis.from_url(URL, decode_responses=True)

    async def get_or_set(key):
        return await client.get(key) or await client.set(key, VALUE, ex=600)

    rates = await cache_calls(
        {"set": lambda key: client.set(key, VALUE, ex=600), "get": client.get, "get_or_set": get_or_set},
        divisor=int(os.environ["BENCH_DIVISOR"]),
    )
    await client.aclose()
    print(json.dumps(rates), flush=True)


def publish():
    # The blocking client was the quicker one: 18,000 messages a second by redis.asyncio, 20,000 to 28,000 by this.
    client, group, encode = redis.Redis.from_url(URL), int(os.environ["BENCH_GROUP"]), msgspec.json.encode
    start = time.perf_counter()
    for at in range(0, JOBS, group):
        pipeline = client.pipeline(transaction=False)
        for number in range(at, min(at + group, JOBS)):
            pipeline.publish("prices", encode(Price("BTCUSDT", number, 64_000.5)))
        pipeline.execute()
    print(json.dumps({"rate": JOBS / (time.perf_counter() - start)}), flush=True)


def subscribe():
    decode = msgspec.json.Decoder(Price).decode
    pubsub = redis.Redis.from_url(URL).pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("prices")
    print(json.dumps({"ready": True}), flush=True)
    count = 0
    for message in pubsub.listen():
        if message is None:
            continue
        if not count:
            start = time.perf_counter()
        count += 1
        if decode(message["data"]).number == JOBS - 1:
            break
    rate = count / (time.perf_counter() - start)
    print(json.dumps({"rate": rate, "missed": JOBS - count}), flush=True)


if __name__ == "__main__":
    main(calls=lambda: uvloop.run(calls()), publish=publish, subscribe=subscribe)

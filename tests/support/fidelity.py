"""Ways that a value takes from the program that writes it to the one that reads it."""

from typing import Any

from stockyard import Channel
from stockyard.cache.codec import Codec as CacheCodec
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.payload import encode_payload
from stockyard.pubsub.coder import Coder
from stockyard.pubsub.stats import Counts


def through_handler(kind: Any, value: Any) -> Any:
    """Take the way of a job: the producer knows no type, the handler declares it."""

    async def handle(job: Job[kind]) -> None: ...

    handle.__annotations__["job"] = Job[kind]
    decode = Handler.of(handle).decode
    return decode(encode_payload(value, what="the payload of", of="x"))


def through_cache(kind: Any, value: Any) -> Any:
    codec: CacheCodec[Any] = CacheCodec("c", kind)
    return codec.decode(codec.encode(value))


def through_channel(kind: Any, value: Any) -> Any:
    coder: Coder[Any] = Coder(Channel("c", kind), Counts())
    return coder.decode(coder.encode(value))


DECLARED = [through_cache, through_channel]
"""The ways whose both ends know the declared type."""

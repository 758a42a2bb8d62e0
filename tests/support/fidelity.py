"""Ways that a value takes from the program that writes it to the one that reads it."""

from typing import Any

from stockyard import Channel
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.payload import TypedCodec, encode_payload
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.stats import Counts


def through_handler(kind: Any, value: Any) -> Any:
    """Take the way of a job: the producer knows no type, the handler declares it."""

    async def handle(job: Job[kind]) -> None: ...

    handle.__annotations__["job"] = Job[kind]
    decode = Handler.of(handle).decode
    return decode(encode_payload(value, what="the payload of", of="x"))


def through_cache(kind: Any, value: Any) -> Any:
    codec: TypedCodec[Any] = TypedCodec(kind, what="a value of cache", of="c", none_is_empty=True)
    return codec.decode(codec.encode(value))


def through_channel(kind: Any, value: Any) -> Any:
    codec: MessageCodec[Any] = MessageCodec(Channel("c", kind), Counts())
    return codec.decode(codec.encode(value))


DECLARED = [through_cache, through_channel]
"""The ways whose both ends know the declared type."""

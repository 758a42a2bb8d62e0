"""Groups of consumers and dead letters of a durable channel, as the server sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from stockyard._store.channels.durable import GroupInfo

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """A group of consumers of a durable channel.

    Attributes:
        name: the group.
        waiting: messages that no consumer of it was given yet.
        pending: messages that its consumers have and did not acknowledge.
        oldest: seconds since the consumer of the oldest of these gave its last sign of life.
        consumers: how many there are; one that died counts until it is forgotten.
        missed: messages that the channel dropped before the group was done with them, since it was made.
    """

    name: str
    waiting: int
    pending: int
    oldest: float
    consumers: int
    missed: int


def consumer_group(found: GroupInfo) -> ConsumerGroup:
    """Return a group as readers get it."""
    return ConsumerGroup(
        found.name, found.waiting, found.pending, found.oldest_ms / 1000, found.consumers, found.missed
    )


@dataclass(frozen=True, slots=True)
class DeadLetter(Generic[T]):
    """A message that a group gave up.

    Attributes:
        id: of the dead letter; ``redeliver`` and ``discard`` take it.
        group: which group gave it up.
        message_id: the message's id in the channel.
        deliveries: how often it was delivered.
        reason: why it became a dead letter.
        value: what was published, or None when it does not fit the type.
        text: the same as JSON text.
    """

    id: str
    group: str
    message_id: str
    deliveries: int
    reason: str
    value: T | None
    text: bytes

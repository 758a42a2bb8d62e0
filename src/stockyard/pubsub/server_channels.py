"""A channel as the server sees it, whatever programs use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stockyard.pubsub.groups import ConsumerGroup


@dataclass(frozen=True, slots=True)
class ServerChannel:
    """A channel on the server, at one moment.

    Attributes:
        name: of the channel.
        durable: the server keeps its messages.
        listeners: connections that listen to it live.
        length: messages that are kept.
        first, last: when the first and the last of these were published, in seconds since the epoch, or None.
        dead: its dead letters.
        groups: its groups of consumers, by name.
    """

    name: str
    durable: bool
    listeners: int = 0
    length: int = 0
    first: float | None = None
    last: float | None = None
    dead: int = 0
    groups: Sequence[ConsumerGroup] = ()

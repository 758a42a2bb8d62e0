"""What a channel did in this process."""

from __future__ import annotations

import msgspec


class ChannelStats(msgspec.Struct, frozen=True):
    """One channel as this process used it.

    Attributes:
        published: messages that the server took.
        received: messages that came in, once for all subscribers of a connection.
        delivered: messages handed to readers, to each of them.
        dropped: messages that a full buffer had no place for, in each of them.
        gaps: how often a reader got a gap for missing messages.
        invalid: messages that did not fit the type.
        reconnects: connections that were lost and replaced while they had readers.
        acknowledged: messages of durable channels that were acknowledged.
        dead: messages of durable channels that were moved to the dead letters.
    """

    published: int = 0
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    gaps: int = 0
    invalid: int = 0
    reconnects: int = 0
    acknowledged: int = 0
    dead: int = 0


class Counts:
    """The counters behind ``ChannelStats``."""

    __slots__ = tuple(ChannelStats.__struct_fields__)

    def __init__(self) -> None:
        self.published = self.received = self.delivered = self.dropped = self.gaps = 0
        self.invalid = self.reconnects = self.acknowledged = self.dead = 0

    def snapshot(self) -> ChannelStats:
        """Return them as they are now."""
        return ChannelStats(*(getattr(self, slot) for slot in self.__slots__))

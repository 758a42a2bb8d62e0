"""What readers of a channel are given: messages, and word of those that they missed."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

GapReason = Literal["reconnected", "overflow", "too slow", "trimmed", "lost"]
"""Why messages are missing.

``"reconnected"``: the connection was lost, and what was published meanwhile did not arrive. ``"overflow"``: they
came faster than they were read, and the oldest were dropped. ``"too slow"``: so the subscription ended.
``"trimmed"``: a durable channel did not keep them for long enough. ``"lost"``: a durable channel was deleted, or
its server lost it.
"""


class Message(msgspec.Struct, Generic[T], frozen=True):
    """One message.

    Attributes:
        value: what was published, shared with other readers of this process: do not change it.
        channel: the channel's name.
        id: its place in a durable channel, from which reading can go on; None on a live one.
    """

    value: T
    channel: str
    id: str | None = None

    @property
    def timestamp(self) -> int | None:
        """When it was published, milliseconds since the epoch by the server's clock; None on a live channel."""
        return None if self.id is None else int(self.id.partition("-")[0])


class MessageGap(msgspec.Struct, frozen=True, kw_only=True):
    """Messages are missing at this place.

    If you follow a state by messages, read it again.

    Attributes:
        channel: the channel's name.
        reason: see ``GapReason``.
        missed: how many, or None where it is unknown; it may have been none at all.
    """

    channel: str
    reason: GapReason
    missed: int | None = None

"""A message in the hands of a consumer, and what the consumer can do with it."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from stockyard._aio.portal import Portal
from stockyard.blocking import BlockingDelivery
from stockyard.model.duration import Duration, milliseconds

T = TypeVar("T")


class Holder(Protocol):
    """Who has the message, as the message sees it."""

    async def acknowledge(self, message_id: str) -> None:
        """Let the group be done with it."""

    async def release(self, message_id: str, *, reason: str, delay_ms: int, is_final: bool) -> None:
        """Hand it back, or move it to the dead letters."""


class Delivery(Generic[T]):
    """One message of a durable channel, which its group has until it is acknowledged.

    Attributes:
        value: what was published.
        channel: the channel's name.
        id: its place in the channel.
        deliveries: how often the group was given it, this time included. What a consumer had read ahead when it
            died counts as delivered once.
    """

    __slots__ = ("_holder", "_portal", "channel", "deliveries", "id", "value")

    def __init__(
        self, value: T, *, channel: str, message_id: str, deliveries: int, holder: Holder, portal: Portal
    ) -> None:
        self.value: T = value
        self.channel: str = channel
        self.id: str = message_id
        self.deliveries: int = deliveries
        self._holder = holder
        self._portal = portal

    @property
    def sync(self) -> BlockingDelivery[T]:
        """This message for code without a running loop: ``message.sync.ack()``."""
        view: BlockingDelivery[T] = self._portal.blocking(self)
        return view

    @property
    def timestamp(self) -> int:
        """When it was published, milliseconds since the epoch by the server's clock."""
        return int(self.id.partition("-")[0])

    async def ack(self) -> None:
        """The group is done with it; calls of the same turn of the loop travel together.

        Raises:
            ServerError: the server did not answer; until it does, the message may be delivered again.
        """
        await self._holder.acknowledge(self.id)

    async def release(self, reason: str = "", *, delay: Duration = 0) -> None:
        """Hand it back: any consumer of the group is given it again; after the last attempt it is a dead letter.

        Args:
            reason: kept with the dead letter.
            delay: pause before that; at most the channel's ``idle``. Defaults to none.

        Raises:
            ServerError: the server did not answer.
        """
        await self._holder.release(
            self.id, reason=reason, delay_ms=milliseconds(delay, option="delay"), is_final=False
        )

    async def dead_letter(self, reason: str = "") -> None:
        """Move it to the dead letters, whatever attempts remain.

        Raises:
            ServerError: the server did not answer.
        """
        await self._holder.release(self.id, reason=reason, delay_ms=0, is_final=True)

    def __repr__(self) -> str:
        return f"<Delivery {self.id} of {self.channel!r}: {self.value!r}>"

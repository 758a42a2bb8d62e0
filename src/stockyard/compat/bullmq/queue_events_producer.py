"""Publishes events of a program in the stream of a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stockyard.compat.bullmq.queue_object import QueueObject


class QueueEventsProducer(QueueObject):
    """Publishes events that ``QueueEvents`` receive.

    Args:
        name: the queue.
        opts: ``connection`` and ``prefix``.
    """

    async def publishEvent(self, args: Mapping[str, Any], maxEvents: int = 1000) -> None:
        """Publish an event: its name is ``args["eventName"]``, the others are its fields.

        How much the stream keeps is a setting of the queue (``stockyard.Queue.set_event_limits``), not of a call.

        Raises:
            ValueError: the name is missing, or one of the queue's own, or a value is neither text nor a number.
        """
        if "eventName" not in args:
            raise ValueError("publishEvent requires an 'eventName' key")
        fields = {name: value for name, value in args.items() if name != "eventName"}
        await self.engine_queue.publish_event(args["eventName"], fields)

    async def close(self) -> None:
        """Close the connection, unless other objects use it; closing twice is fine."""
        await self._share.close()

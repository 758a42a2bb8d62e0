"""These types annotate what ``.sync`` returns: the methods of each class, which block until they are done.

Type checkers and editors read ``blocking.pyi``, made from the classes by ``make stubs``. At run time all of these
are one class.
"""

from __future__ import annotations

from types import GenericAlias


class BlockingView:
    """An object of Stockyard for code without a running loop.

    Coroutine methods take the same arguments, return what is awaited, and raise the same errors; ``async with`` is
    ``with``, and ``async for`` is ``for``. Everything else is the object's own.

    Raises:
        BlockingCallRefused: when one of its methods is called where an event loop runs, or the app was closed.
    """

    __class_getitem__ = classmethod(GenericAlias)


BlockingApp = BlockingView
BlockingCache = BlockingView
BlockingCaches = BlockingView
BlockingConsumer = BlockingView
BlockingDelivery = BlockingView
BlockingEffects = BlockingView
BlockingFlows = BlockingView
BlockingJob = BlockingView
BlockingKeys = BlockingView
BlockingLimitedCall = BlockingView
BlockingManualWorker = BlockingView
BlockingOpenChannel = BlockingView
BlockingOpenLimits = BlockingView
BlockingQueue = BlockingView
BlockingQueueEvents = BlockingView
BlockingReplay = BlockingView
BlockingSchedules = BlockingView
BlockingSubscription = BlockingView
BlockingTakenJob = BlockingView

__all__ = [
    "BlockingApp",
    "BlockingCache",
    "BlockingCaches",
    "BlockingConsumer",
    "BlockingDelivery",
    "BlockingEffects",
    "BlockingFlows",
    "BlockingJob",
    "BlockingKeys",
    "BlockingLimitedCall",
    "BlockingManualWorker",
    "BlockingOpenChannel",
    "BlockingOpenLimits",
    "BlockingQueue",
    "BlockingQueueEvents",
    "BlockingReplay",
    "BlockingSchedules",
    "BlockingSubscription",
    "BlockingTakenJob",
    "BlockingView",
]

"""Channels carry messages to all subscribers, or to groups of consumers who acknowledge them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.pubsub.channel import Channel, ChannelOptions, OnInvalid
    from stockyard.pubsub.consumer import Consumer
    from stockyard.pubsub.delivery import Delivery
    from stockyard.pubsub.groups import ConsumerGroup, DeadLetter
    from stockyard.pubsub.message import GapReason, Message, MessageGap
    from stockyard.pubsub.open_channel import OpenChannel
    from stockyard.pubsub.replay import Replay
    from stockyard.pubsub.server_channels import ServerChannel
    from stockyard.pubsub.stats import ChannelStats
    from stockyard.pubsub.subscription import Policy, Subscription
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.pubsub.channel": "Channel ChannelOptions OnInvalid",
            "stockyard.pubsub.consumer": "Consumer",
            "stockyard.pubsub.delivery": "Delivery",
            "stockyard.pubsub.groups": "ConsumerGroup DeadLetter",
            "stockyard.pubsub.message": "GapReason Message MessageGap",
            "stockyard.pubsub.open_channel": "OpenChannel",
            "stockyard.pubsub.replay": "Replay",
            "stockyard.pubsub.server_channels": "ServerChannel",
            "stockyard.pubsub.stats": "ChannelStats",
            "stockyard.pubsub.subscription": "Policy Subscription",
        },
    )

__all__ = [
    "Channel",
    "ChannelOptions",
    "ChannelStats",
    "Consumer",
    "ConsumerGroup",
    "DeadLetter",
    "Delivery",
    "GapReason",
    "Message",
    "MessageGap",
    "OnInvalid",
    "OpenChannel",
    "Policy",
    "Replay",
    "ServerChannel",
    "Subscription",
]

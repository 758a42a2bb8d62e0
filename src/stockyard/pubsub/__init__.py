"""Channels: messages to everybody who listens, or to groups of consumers who acknowledge them."""

from stockyard.pubsub.channel import Channel, ChannelOptions, OnInvalid
from stockyard.pubsub.consumer import Consumer
from stockyard.pubsub.delivery import Delivery
from stockyard.pubsub.groups import ConsumerGroup, DeadLetter
from stockyard.pubsub.message import Gap, GapReason, Message
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.pubsub.replay import Replay
from stockyard.pubsub.stats import ChannelStats
from stockyard.pubsub.subscription import Policy, Subscription

__all__ = [
    "Channel",
    "ChannelOptions",
    "ChannelStats",
    "Consumer",
    "ConsumerGroup",
    "DeadLetter",
    "Delivery",
    "Gap",
    "GapReason",
    "Message",
    "OnInvalid",
    "OpenChannel",
    "Policy",
    "Replay",
    "Subscription",
]

"""The key names of one channel, which never meet those of a queue."""

from __future__ import annotations


class ChannelKeys:
    """The keys of one channel; the empty part of ``::channel`` cannot occur in a queue's name.

    Args:
        prefix: first part of every key.
        channel: the channel's name; may hold single colons.
    """

    __slots__ = ("base", "dead", "live", "messages")

    def __init__(self, prefix: str, channel: str) -> None:
        self.live = f"{prefix}::channel:{channel}"
        self.base = f"{self.live}:"
        self.messages = f"{self.base}messages"
        self.dead = f"{self.base}dead"

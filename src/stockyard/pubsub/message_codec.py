"""Messages of a channel as text on the server, and back."""

from __future__ import annotations

import logging
from typing import TypeVar

from stockyard.errors import PayloadError
from stockyard.model.payload import TypedCodec
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.message import Message
from stockyard.pubsub.stats import Counts

T = TypeVar("T")
_log = logging.getLogger(__name__)


class MessageCodec(TypedCodec[T]):
    """JSON in the channel's type; what does not fit it is counted and given to ``on_invalid``.

    Args:
        channel: the channel.
        counts: where messages that do not fit are counted.

    Raises:
        PayloadError: the type cannot be read from JSON.
    """

    def __init__(self, channel: Channel[T], counts: Counts) -> None:
        super().__init__(channel.type, what="a message of channel", of=channel.name)
        self._channel = channel
        self._counts = counts
        self._is_logged = False

    def decode(self, text: bytes) -> T:
        """Return the value of a text.

        Raises:
            PayloadError: it does not fit; it is counted and given to ``on_invalid`` before.
        """
        try:
            return self._read(text)
        except Exception as error:
            self._count(text, error)
            raise PayloadError(str(error)) from error

    def messages(self, texts: list[bytes]) -> list[Message[T]]:
        """Return the messages of a live channel whose texts fit."""
        read, name, found = self._read, self._channel.name, []
        for text in texts:
            try:
                found.append(Message(read(text), name))
            except Exception as error:
                # Also what a type's own validators raise: one message must not stop those behind it.
                self._count(text, error)
        return found

    def _count(self, text: bytes, error: Exception) -> None:
        self._counts.invalid += 1
        if self._channel.on_invalid is None:
            if not self._is_logged:
                _log.warning("channel %s: messages that do not fit are left out: %s", self._channel.name, error)
            self._is_logged = True
            return
        try:
            self._channel.on_invalid(text, error)
        except Exception:
            _log.exception("channel %s: on_invalid failed", self._channel.name)

"""What a worker says to its lease process first, and how that answers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from stockyard._store.composed_script import ComposedScript
from stockyard.config import Address
from stockyard.model.naming import Naming

READY = b"ready"
"""The first message of a lease process; each one after that is a lease that is not its parent's any more, or
begins with ``RENEWED``."""

RENEWED = b"renewed"
"""Begins a message that says which leases were renewed, where a parent wants to know: a list of [token, job id].
No lease begins so: the size of its queue's name would be larger than a slot."""

_SIZE = 4


class Assignment(NamedTuple):
    """What the parent says first, on standard input.

    Attributes:
        address: the server.
        naming: how keys are spelled.
        script: renews leases.
        table: file descriptor of the leases.
        is_replacement: the leases are those of a child that died, and due at once.
    """

    address: Address
    naming: Naming
    script: ComposedScript
    table: int
    is_replacement: bool

    def packed(self) -> bytes:
        """Return it as a message."""
        return framed(json.dumps(self).encode())

    @classmethod
    def read(cls, read: Callable[[int], bytes]) -> Self:
        """Read the message that is the first.

        Args:
            read: returns so many bytes at most, and nothing at the end.

        Raises:
            EOFError: the other side ended.
        """
        size = int.from_bytes(_exactly(read, _SIZE))
        address, naming, script, table, is_replacement = json.loads(_exactly(read, size))
        return cls(
            Address(*_tuples(address)), Naming(*naming), ComposedScript(*_tuples(script)), table, is_replacement
        )


def framed(message: bytes) -> bytes:
    """Return a message with its size in front."""
    return len(message).to_bytes(_SIZE) + message


def renewed_message(leases: Sequence[tuple[str, str]]) -> bytes:
    """Return the message that these leases, given as (token, job id), were renewed."""
    return RENEWED + json.dumps(leases).encode()


def read_renewed(message: bytes) -> list[tuple[str, str]]:
    """Return the leases of such a message."""
    return [(token, job_id) for token, job_id in json.loads(message[len(RENEWED) :])]


class MessageWriter:
    """Writes messages into a pipe, and never waits for the side that reads.

    Args:
        descriptor: of the pipe.

    Attributes:
        is_behind: whether some bytes are still to be written, as the pipe is full.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._rest = bytearray()

    @property
    def is_behind(self) -> bool:
        return bool(self._rest)

    def write(self, message: bytes) -> None:
        """Write a message, or as much of it as the pipe takes now."""
        self._rest += framed(message)
        self.flush()

    def flush(self) -> None:
        """Write as much of what is left as the pipe takes now."""
        with contextlib.suppress(BlockingIOError):
            while self._rest:
                del self._rest[: os.write(self._descriptor, self._rest)]


def messages(received: bytearray) -> Iterator[bytes]:
    """Take the whole messages off the beginning of what was received."""
    while len(received) >= _SIZE:
        end = _SIZE + int.from_bytes(received[:_SIZE])
        if len(received) < end:
            return
        message = bytes(received[_SIZE:end])
        del received[:end]
        yield message


def _tuples(value: Any) -> Any:
    """Return what was a tuple before it was JSON."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = read(size - len(parts))
        if not part:
            raise EOFError("the parent ended")
        parts += part
    return bytes(parts)

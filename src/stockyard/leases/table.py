"""The leases in hand, in memory shared by a worker's process and its lease child."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

from stockyard.errors import ConfigError

_SLOT = 1024
_HEADER = 16
_REPORTS_AT = 8
_SIZE = 3
_LONGEST = 2**32 - 1
_HEAD = struct.Struct("<HHqq")
"""Begins a lease: the sizes of its queue and its token, its start, its length. Then come queue, token and id."""

CAPACITY = 16_384
"""Jobs that one process can hold at a time."""


class Lease(NamedTuple):
    """One running job.

    Attributes:
        queue: its queue.
        job_id: its id.
        token: of its lock.
        starts: number of this start of the job.
        lock_ms: length of the lease.
    """

    queue: str
    job_id: str
    token: str
    starts: int
    lock_ms: int

    def packed(self) -> bytes:
        """Return it as bytes."""
        return _shared(self.queue, self.token, self.starts, self.lock_ms) + _id_bytes(self.job_id)

    @classmethod
    def unpacked(cls, text: bytes) -> Self:
        """Return a lease by its bytes; a ValueError or a struct.error when they are none."""
        queue_size, token_size, starts, lock_ms = _HEAD.unpack_from(text)
        token_at = _HEAD.size + queue_size
        id_at = token_at + token_size
        queue, token = text[_HEAD.size : token_at].decode(), text[token_at:id_at].decode()
        return cls(queue, text[id_at:].decode(errors="surrogateescape"), token, starts, lock_ms)


class LeaseTable:
    """Slots of fixed size in a file without a name, written by one process and read by another without a lock.

    A slot begins with a flag byte that is written last; the reader looks at a slot twice, and passes over one
    that changed meanwhile. A slot that is read although its job has just ended costs one renewal in vain.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int = descriptor
        self._memory = mmap.mmap(descriptor, _HEADER + _SLOT * CAPACITY)
        self._free: list[int] = []
        self._used = 0
        self._shortest = _LONGEST

    @classmethod
    def create(cls) -> Self:
        """Make an empty table."""
        descriptor = _unnamed_file()
        os.ftruncate(descriptor, _HEADER + _SLOT * CAPACITY)
        return cls(descriptor)

    def hold(self, lease: Lease) -> int:
        """Write a lease and return its slot.

        Raises:
            ConfigError: the table is full, or the job's id is longer than a slot.
        """
        return self.holder(lease.queue, lease.token, lease.lock_ms)(lease.job_id, lease.starts)

    def holder(self, queue: str, token: str, lock_ms: int) -> Callable[[str, int], int]:
        """Return what writes the leases of one call: given a job's id and its start, it returns the slot.

        What the leases share is encoded once. The errors are those of ``hold``.
        """
        memory, free = self._memory, self._free
        heads: dict[int, bytes] = {}
        if lock_ms < self._shortest:
            self._shortest = lock_ms
            memory[4:8] = lock_ms.to_bytes(4, "little")

        def hold(job_id: str, starts: int) -> int:
            head = heads.get(starts)
            if head is None:
                head = heads[starts] = _shared(queue, token, starts, lock_ms)
            text = head + _id_bytes(job_id)
            size = len(text)
            if size > _SLOT - _SIZE:
                raise ConfigError(f"job id {job_id[:40]!r}… is too long: {len(job_id)} characters")
            slot = free.pop() if free else self._fresh_slot()
            at = _HEADER + slot * _SLOT
            memory[at + 1 : at + _SIZE + size] = size.to_bytes(2, "little") + text
            memory[at] = 1
            return slot

        return hold

    def release(self, slot: int) -> None:
        """Empty a slot."""
        self._memory[_HEADER + slot * _SLOT] = 0
        self._free.append(slot)

    def _fresh_slot(self) -> int:
        slot = self._used
        if slot >= CAPACITY:
            raise ConfigError(f"one process can hold {CAPACITY:,} running jobs; start more processes instead")
        self._used += 1
        self._memory[0:4] = self._used.to_bytes(4, "little")
        return slot

    @property
    def shortest_ms(self) -> int:
        """Length of the shortest lease that was ever held, or 0."""
        return int.from_bytes(self._memory[4:8], "little")

    @property
    def reports_renewals(self) -> bool:
        """Whether the child is to say which leases it has renewed; the worker's process sets it."""
        return bool(self._memory[_REPORTS_AT])

    @reports_renewals.setter
    def reports_renewals(self, is_wanted: bool) -> None:
        self._memory[_REPORTS_AT] = int(is_wanted)

    def __iter__(self) -> Iterator[Lease]:
        """Read every lease in the table."""
        memory = self._memory
        for slot in range(int.from_bytes(memory[0:4], "little")):
            at = _HEADER + slot * _SLOT
            if not memory[at]:
                continue
            seen = memory[at : at + _SLOT]
            size = int.from_bytes(seen[1:3], "little")
            try:
                lease = Lease.unpacked(seen[_SIZE : _SIZE + size])
            except (ValueError, struct.error):
                continue
            if memory[at : at + _SLOT] == seen:
                yield lease

    def close(self) -> None:
        """Give the memory back; closing twice is fine."""
        if self.descriptor >= 0:
            self._memory.close()
            os.close(self.descriptor)
            self.descriptor = -1


def _shared(queue: str, token: str, starts: int, lock_ms: int) -> bytes:
    """Return what the leases of one call begin with."""
    names = queue.encode(), token.encode()
    return _HEAD.pack(*map(len, names), starts, lock_ms) + b"".join(names)


def _id_bytes(job_id: str) -> bytes:
    return job_id.encode(errors="surrogateescape")


def _unnamed_file() -> int:
    """Open a file that has no name and ends with its last user: in memory, where the system has such files."""
    try:
        return os.memfd_create("stockyard-leases")
    except (AttributeError, OSError):
        # Imported late: neither a worker on Linux nor its lease child needs it.
        import tempfile

        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())

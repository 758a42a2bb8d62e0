"""Ids of jobs in MessagePack, by their own bytes."""

from __future__ import annotations

import msgspec

_STR16, _STR32 = b"\xda", b"\xdb"


def packable_id(job_id: str) -> str | msgspec.Raw:
    """Return what MessagePack writes as the id's own bytes, though they may be no UTF-8."""
    if job_id.isascii():
        return job_id
    raw = job_id.encode(errors="surrogateescape")
    # The server's MessagePack reads text alone, and does not look at what is in it.
    size = len(raw)
    head = _STR16 + size.to_bytes(2, "big") if size < 2**16 else _STR32 + size.to_bytes(4, "big")
    return msgspec.Raw(head + raw)

"""Which slot of a cluster a command belongs to, by its first key (cluster specification, key distribution)."""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from stockyard.model.naming import hash_tag

SLOTS = 16_384

_SCRIPTS = frozenset(("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"))
_WITHOUT_KEY = frozenset(
    (
        *("ACL", "ASKING", "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "DISCARD", "EXEC"),
        *("FLUSHALL", "FLUSHDB", "HELLO", "INFO", "KEYS", "LASTSAVE", "LATENCY", "MULTI", "PING", "PSUBSCRIBE"),
        *("PUBLISH", "PUBSUB", "PUNSUBSCRIBE", "READONLY", "READWRITE", "ROLE", "SCAN", "SCRIPT", "SELECT"),
        *("SLOWLOG", "SUBSCRIBE", "TIME", "UNSUBSCRIBE", "WAIT", "WAITAOF"),
    )
)
_KEY_THIRD = frozenset(("MEMORY", "OBJECT", "XGROUP", "XINFO"))


def slot_of(key: str | bytes) -> int:
    """Return the slot of a key: CRC16 (XMODEM) of its hash tag, modulo the number of slots."""
    text = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
    return binascii.crc_hqx(hash_tag(text).encode("utf-8", "surrogateescape"), 0) % SLOTS


def key_of(command: Sequence[str | bytes | int | float]) -> str | bytes | None:
    """Return the first key of a command, or None for one that has none: any node may answer it."""
    verb = command[0]
    if verb in _SCRIPTS:
        key = command[3] if int(command[2]) > 0 else None
    elif verb in _WITHOUT_KEY:
        key = None
    elif verb in _KEY_THIRD:
        key = command[2]
    elif verb in ("XREAD", "XREADGROUP"):
        key = command[command.index("STREAMS") + 1]
    else:
        key = command[1]
    return key if isinstance(key, str | bytes) else None

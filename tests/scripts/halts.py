"""Halts as the scripts' tests write them."""

from typing import Any

import msgspec

from stockyard._store.halting import CurrentHalts, HaltsKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.breaker import Breaker
from stockyard.model.halt import Halt
from tests.scripts.conftest import NOW

BREAKER = Breaker(failures=2, within="30s", reset_after="60s")


def record_of(keyspace: QueueKeyspace) -> HaltsKeyspace:
    """The record of halts under the queue's prefix."""
    return HaltsKeyspace(keyspace.server, keyspace.keys.naming)


def halt(queues: str = "q", **fields: Any) -> Halt:
    """A halt of the queue ``q``."""
    return Halt(**{"queues": queues, "reason": "runaway", "by": "ada", "since": NOW, **fields})


def text_of(found: Halt) -> str:
    """A halt as it is stored."""
    return msgspec.json.encode(found).decode()


def current(*halts: Halt, version: int = NOW) -> CurrentHalts:
    """What holds now."""
    return CurrentHalts(version, halts)

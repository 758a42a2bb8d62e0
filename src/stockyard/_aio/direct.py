"""Runs coroutines that never suspend, without a loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits in the calling thread, if it waits at all, and return its result.

    Raises:
        RuntimeError: it waits for a loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        returned: T = end.value
        return returned
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waits for a loop, and is not named as one that does")

"""Runs a plain function in a thread for a coroutine that waits for it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any


async def in_thread(function: Callable[..., Any], *arguments: Any, threads: Executor | None = None) -> Any:
    """Call the function in the caller's context; return its result or raise its error.

    Args:
        function, arguments: what to call.
        threads: where. Defaults to the loop's own.
    """
    context = contextvars.copy_context()

    def call() -> Any:
        try:
            return context.run(function, *arguments)
        except StopIteration as error:
            # It cannot be raised in a coroutine: on Python 3.11 the caller would never be told of the end.
            raise RuntimeError(f"{function!r} raised {error!r}") from error

    return await asyncio.get_running_loop().run_in_executor(threads, call)

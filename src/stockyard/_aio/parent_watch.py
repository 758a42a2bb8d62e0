"""Notices, by a pipe on standard input, that the process which started this one speaks or is gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable


def watch_parent(*, on_gone: Callable[[], None], on_message: Callable[[], None] | None = None) -> None:
    """Watch standard input in the running loop; the parent holds the other end as long as it lives.

    Args:
        on_gone: called once when the input ends.
        on_message: called when there were bytes, which are dropped. Defaults to nothing.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            on_gone()
        elif on_message is not None:
            on_message()

    loop.add_reader(0, read)

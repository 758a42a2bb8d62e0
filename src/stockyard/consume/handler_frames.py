"""Which frames of a stack are a handler's own."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence

_CALLERS = (os.sep.join(("", "stockyard", "consume", "")), f"{os.sep}uvloop{os.sep}", f"{os.sep}asyncio{os.sep}")
"""Folders of what calls a handler, the nearest to it first."""


def in_handler(stack: Sequence[traceback.FrameSummary]) -> Sequence[traceback.FrameSummary]:
    """Return the frames of a loop's thread behind those that belong to the worker, or to the loop."""
    for caller in _CALLERS:
        last = max((at for at, each in enumerate(stack) if caller in each.filename), default=-1)
        if last >= 0:
            return stack[last + 1 :] or stack
    return stack

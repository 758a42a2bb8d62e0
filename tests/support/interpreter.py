"""Holds the interpreter, as an extension does that computes without letting other threads run."""

import ctypes
import time


def hold_interpreter(seconds: float) -> None:
    """Stay in C for so long, without letting any other thread of the process run and without using a processor."""
    until = time.monotonic() + seconds
    # A signal ends the call early.
    while (left := until - time.monotonic()) > 0:
        ctypes.PyDLL(None).usleep(int(left * 1_000_000) + 1)

"""Notifies every interested part of a loop that the process was asked to stop."""

from __future__ import annotations

import asyncio
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_listeners: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Callable[[], None]]] = (
    weakref.WeakKeyDictionary()
)


def on_stop_signal(callback: Callable[[], None]) -> Callable[[], None]:
    """Call back at each SIGTERM or SIGINT; return a function that ends that.

    Signals reach only a loop in the main thread; elsewhere this does nothing.
    """
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    callbacks = _listeners.setdefault(loop, [])
    if not callbacks:
        for number in _SIGNALS:
            loop.add_signal_handler(number, _call_all, callbacks)
    callbacks.append(callback)

    def end() -> None:
        if callback in callbacks:
            callbacks.remove(callback)
            if not callbacks:
                for number in _SIGNALS:
                    loop.remove_signal_handler(number)

    return end


@contextmanager
def stop_signals(callback: Callable[[], None] | None = None) -> Iterator[asyncio.Event]:
    """Return a block in which SIGTERM and SIGINT set the event that the block is given, and do nothing else.

    Args:
        callback: called at each signal, too. Defaults to none.
    """
    asked = asyncio.Event()

    def ask() -> None:
        asked.set()
        if callback is not None:
            callback()

    end = on_stop_signal(ask)
    try:
        yield asked
    finally:
        end()


@contextmanager
def sigterm_as_interrupt() -> Iterator[list[signal.Signals]]:
    """Return a block in which SIGTERM ends what runs as Ctrl-C does: what cleans up behind that cleans up.

    The block is given a list, which holds the signal once it has come. Outside of the main thread, which no signal
    reaches, this does nothing.
    """
    received: list[signal.Signals] = []

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        received.append(signal.SIGTERM)
        # A loop that runs has a handler of its own for it, which cancels its task.
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # A shell lets what it runs in the background ignore Ctrl-C.
    if before[signal.SIGINT] is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in list(callbacks):
        callback()

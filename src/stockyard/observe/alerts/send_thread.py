"""Runs one blocking send in a thread of its own, with a total deadline after which its connection is cut."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from stockyard._aio.process_lock import ProcessLock
from stockyard.errors import NotificationFailed

DEADLINE = 10.0
"""Seconds for one notification in all, however slowly its receiver answers."""
MOST_THREADS = 8
"""Threads of one notifier at a time, those that no longer count included."""

_lock = ProcessLock()
_threads: Counter[str] = Counter()


class AbortableConnection:
    """The connection of a send, which another thread can cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._is_cut = False

    def hold(self, connection: socket.socket | None) -> None:
        """Remember the connection.

        Raises:
            TimeoutError: the deadline has passed.
        """
        with self._lock:
            if self._is_cut:
                raise TimeoutError("the deadline has passed")
            if self._held is None and connection is not None:
                # TLS takes the descriptor away from the socket it wraps; a duplicate stays good for a shutdown.
                # The plain class, as a TLS socket refuses to be duplicated.
                self._held = socket.socket.dup(connection)

    def cut(self) -> None:
        """End the connection, so that a thread that reads or writes on it fails at once; cutting twice is fine."""
        with self._lock:
            self._is_cut = True
            held, self._held = self._held, None
        if held is not None:
            with held, suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


async def send_within(
    name: str, send: Callable[[AbortableConnection], None], *, seconds: float = DEADLINE
) -> None:
    """Run ``send`` in a thread and wait for its end, at most until the deadline.

    The thread is a daemon: it delays neither the loop, nor other code's threads, nor the end of the process.

    Args:
        name: of the notifier; it may have ``MOST_THREADS`` threads at a time.
        send: blocks; gives the connection that it opens to what it is called with.
        seconds: for all of it.

    Raises:
        NotificationFailed: it took too long, or too many earlier ones still hang; what ``send`` raises
            passes through.
    """
    with _lock:
        if _threads[name] >= MOST_THREADS:
            raise NotificationFailed(f"{MOST_THREADS} earlier notifications hang; this one waits until one ends")
        _threads[name] += 1
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[None] = loop.create_future()
    connection = AbortableConnection()

    def settle(error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(None)
        else:
            outcome.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            send(connection)
        except BaseException as error:
            failure = error
        finally:
            with _lock:
                _threads[name] -= 1
        # The loop may be closed by now, with nobody left to wait.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name=f"send {name}", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await outcome
    except TimeoutError:
        if outcome.done() and not outcome.cancelled():
            raise
        raise NotificationFailed(f"it took longer than {seconds:g} s in all, and was given up") from None
    finally:
        connection.cut()

"""Pins an embedded server, so that it outlives its users, and lets it go again."""

import fcntl
import os
import time
from pathlib import Path

from stockyard.embedded import guardian
from stockyard.embedded.folder import Folder
from stockyard.embedded.inspection import ServerStatus, status
from stockyard.embedded.layout import SetShape
from stockyard.embedded.server import acquire, await_stop


def pin(data: Path | None = None, *, shape: SetShape | None = None, timeout: float | None = None) -> ServerStatus:
    """Start the embedded server of a data folder, if need be, and keep it running without users.

    Args:
        data: The folder. Defaults to this user's.
        shape: Of the Sentinel set or cluster to start instead. Defaults to one server.
        timeout: Seconds to wait. Defaults to 10, and to 30 for a set.

    Raises:
        EmbeddedServerError: the server does not start.
    """
    with acquire(data, shape=shape, timeout=timeout) as server:
        folder = Folder.at(server.data)
        os.close(folder.open_lock(folder.pin_mark))
        return status(server.data)


def unpin(data: Path | None = None) -> ServerStatus:
    """Let the embedded server or set stop: now, if nobody uses it, else after its last user.

    The status that is returned says which: `running` is True while a process still uses it.
    """
    folder = Folder.at(data)
    folder.check()
    if folder.pin_mark.exists():
        unused = _is_unused(folder)
        folder.pin_mark.unlink(missing_ok=True)
        if unused:
            await_stop(folder)
    return status(folder.path)


def _is_unused(folder: Folder) -> bool:
    lock = folder.open_lock(folder.users_lock)
    try:
        # More than one try: the guardian may hold the lock for the moment it needs to see the pin.
        for _ in range(5):
            if guardian.try_lock(lock, fcntl.LOCK_EX):
                return True
            time.sleep(0.01)
        return False
    finally:
        os.close(lock)

"""Cancellation of a running job that its processor watches for."""

from __future__ import annotations

import asyncio


class AbortError(Exception):
    """Raised by ``AbortSignal.throw_if_aborted``, and by processors that end because they were cancelled.

    Attributes:
        reason: the reason that was given, or None.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason or "The operation was aborted")
        self.reason = reason


class AbortSignal:
    """Shows a processor that its job was cancelled; its third argument."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._reason: str | None = None

    @property
    def aborted(self) -> bool:
        """Whether the job was cancelled."""
        return self._event.is_set()

    @property
    def reason(self) -> str | None:
        """The reason that was given, or None."""
        return self._reason

    async def wait(self) -> None:
        """Return when the job is cancelled."""
        await self._event.wait()

    def throw_if_aborted(self) -> None:
        """Raise AbortError if the job was cancelled."""
        if self.aborted:
            raise AbortError(self._reason)


class AbortController:
    """Sets a signal, once.

    Attributes:
        signal: the signal to pass on.
    """

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self, reason: str | None = None) -> None:
        """Set the signal; the first reason stays."""
        if not self.signal.aborted:
            self.signal._reason = reason
            self.signal._event.set()

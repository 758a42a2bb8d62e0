"""Signs of life of a worker: written by its loop, judged from any thread."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

BEAT_SECONDS = 0.5
"""Between two signs of life of a loop."""

BLOCKED_SECONDS = 10.0
"""A loop that did not run for so long is blocked."""

OVERDUE_SECONDS = 1.0
"""A wait for jobs is dead that goes on for so long after its end."""

QUIET_SECONDS = 15.0
"""A worker that could take jobs and has not asked for any for so long is stuck."""


class HealthCheck(NamedTuple):
    """One health check of a worker or process.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        detail: what was found, for people.
        is_fatal: whether the process should be started again while it is not. Defaults to True.
    """

    name: str
    ok: bool
    detail: str
    is_fatal: bool = True


class Heartbeat:
    """What a worker last did; times are those of ``time.monotonic``.

    Attributes:
        phase: ``made``, ``starting``, ``working``, ``stopping`` or ``stopped``.
        beat: when its loop last ran.
        answered: when the server last did what it was asked for.
        trouble: why the last call failed; empty after one that did not.
        is_paused: whether it takes no jobs, as it was asked to.
    """

    __slots__ = ("answered", "beat", "is_paused", "phase", "trouble")

    def __init__(self) -> None:
        self.phase: str = "made"
        self.beat: float = time.monotonic()
        self.answered: float = self.beat
        self.trouble: str = ""
        self.is_paused: bool = False

    async def keep(self) -> None:
        """The loop runs."""
        self.beat = time.monotonic()

    def reply(self) -> None:
        """The server answered."""
        self.answered = time.monotonic()
        self.trouble = ""

    def judge(
        self, of: str, *, room: int, waits_until: float, now: float, server_trouble: str = ""
    ) -> list[HealthCheck]:
        """Return the checks of the worker; none when it has stopped.

        Args:
            of: begins the names.
            room: how many more jobs it would take.
            waits_until: when its wait for jobs, if one is under way, is to end; else infinity.
            now: by ``time.monotonic``.
            server_trouble: why calls are being sent again. Defaults to empty, for none.
        """
        if self.phase == "stopped":
            return []
        trouble = self.trouble or server_trouble
        health_checks = [
            HealthCheck(f"{of}: worker", self.phase == "working", self.phase, is_fatal=False),
            HealthCheck(f"{of}: server", not trouble, trouble or "answers", is_fatal=False),
        ]
        if self.phase != "made":
            age = now - self.beat
            health_checks.append(HealthCheck(f"{of}: loop", age < BLOCKED_SECONDS, f"ran {age:.1f} s ago"))
        if self.phase == "working":
            health_checks.append(HealthCheck(f"{of}: taking", *self._taking(room, waits_until, now)))
        return health_checks

    def _taking(self, room: int, waits_until: float, now: float) -> tuple[bool, str]:
        if now > waits_until + OVERDUE_SECONDS:
            return (
                False,
                f"its wait for jobs should have ended {now - waits_until:.1f} s ago: the connection is dead",
            )
        if not math.isinf(waits_until):
            return True, f"waits for jobs, {max(waits_until - now, 0):.1f} s more"
        if self.is_paused:
            return True, "paused"
        if self.trouble:
            return True, "waits for the server"
        if room <= 0:
            return True, "takes no more for now: its hands are full, or a limit holds"
        age = now - self.answered
        return age < QUIET_SECONDS, f"asked for jobs {age:.1f} s ago"

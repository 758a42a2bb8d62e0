"""What an App offers to halt its queues: the kill switch, and what it has done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stockyard.model import checks
from stockyard.model.halt import Halt, HaltChange

if TYPE_CHECKING:
    from stockyard.app.runtime import Runtime

LONGEST_TEXT = 1_000
"""Characters of a pattern, a key, a reason and a name."""

MOST_LISTED = 10_000


class HaltControl:
    """The kill switch of an App."""

    _runtime: Callable[[], Runtime]

    async def halt(self, queues: str, *, reason: str, by: str, key: str | None = None) -> Halt:
        """Let no job start, and no effect begin, until ``resume``: on every worker, from its next call on.

        Whole queues are paused as BullMQ pauses them, so that Node's workers stop as well. It holds for queues
        that are declared later, and over restarts of the server. Jobs that run go on, up to their next effect,
        which raises ``EffectHalted``: the job is requeued, with no attempt used up.

        With a key, only jobs of that ``key``, or with that value in their ``scope``, are held, by our workers.

        Args:
            queues: name of a queue, or a pattern with ``*`` and ``?``, as in ``"execution:*"``.
            reason: why; it is kept, and shown wherever the halt is.
            by: who halts.
            key: see above. Defaults to all jobs.

        Raises:
            InvalidOption: an argument is no text, or empty.
            ServerError: a server did not answer; halt again, as it may not hold everywhere.
        """
        return await self._runtime().kill_switch.halt(
            _asked(queues, checks.text("reason", reason, longest=LONGEST_TEXT), by, key)
        )

    async def resume(self, queues: str, *, by: str, reason: str = "", key: str | None = None) -> bool:
        """End a halt, and open circuit breakers of these queues; say whether there was one.

        A queue that was paused when it was halted stays paused.

        Args:
            queues, key: as they were given to ``halt``, character by character.
            by: who resumes.
            reason: why, for the audit. Defaults to none.

        Raises:
            InvalidOption: an argument is no text.
            ServerError: a server did not answer; resume again.
        """
        return await self._runtime().kill_switch.resume(_asked(queues, checks.line("reason", reason), by, key))

    async def halts(self) -> list[Halt]:
        """Return what is halted now, of all queues under this prefix, and this app's open circuit breakers."""
        return await self._runtime().kill_switch.current()

    async def halt_audit(self, count: int = 100) -> list[HaltChange]:
        """Return who halted and resumed what, when and why, and what circuit breakers did; the latest first.

        Args:
            count: how many at most; about 10,000 are kept, and 1,000 of each breaker. Defaults to 100.

        Raises:
            InvalidOption: the count is no whole number from 1 to 10,000.
        """
        return await self._runtime().kill_switch.audit(checks.whole("count", count, least=1, most=MOST_LISTED))


def _asked(queues: str, reason: str, by: str, key: str | None) -> Halt:
    for name, value in {"queues": queues, "by": by}.items():
        checks.text(name, value, longest=LONGEST_TEXT)
    if key is not None:
        checks.text("key", key, longest=LONGEST_TEXT)
    # Names of queues may be members of a StrEnum.
    return Halt(queues=str(queues), key=key, reason=str(reason), by=str(by), since=0)

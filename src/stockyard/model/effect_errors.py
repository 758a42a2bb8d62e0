"""What goes wrong with effects; part of the tree of ``errors``.

UnrecoverableError
├── OutcomeUnknown           an effect may have been applied, and nobody knows
└── EffectMismatch           an effect's key was used with another payload
RunSignal
├── EffectRecorded           an earlier run applied it: the job completes with what was recorded
└── EffectHalted             a halt keeps it from being begun: the job is requeued, with no attempt used up
StockyardError
├── NotApplied               raised in the block of an effect: it was certainly not applied
├── EffectRefused            it was not begun: the lease is lost, or ends too soon
├── EffectNotFound           there is no effect of that key
└── EffectStateError         it cannot be settled so: another outcome is known, or its run is at it
"""

from __future__ import annotations

from typing import Any

import msgspec

from stockyard.errors import RunSignal, StockyardError, UnrecoverableError


class OutcomeUnknown(UnrecoverableError):
    """An effect may have been applied, and nobody knows: its job fails, and is not tried again."""


class EffectMismatch(UnrecoverableError):
    """An effect's key was used before, for something else: the payloads differ."""


class EffectRecorded(RunSignal):
    """An earlier run applied the effect: unless this is caught, the job completes with what was recorded.

    Attributes:
        text: JSON text of what was recorded.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("the effect was applied by an earlier run")

    @property
    def value(self) -> Any:
        """What was recorded, as plain values."""
        return msgspec.json.decode(self.text)


class EffectHalted(RunSignal):
    """An effect was not begun, and nothing was done: its queue, or a key of it, is halted.

    Unless this is caught, the job goes back to wait, with no attempt used up, and runs again when that is over.

    Attributes:
        key: the key that is halted; None where the whole queue is.
    """

    def __init__(self, key: str | None = None, reason: str = "") -> None:
        self.key = key
        super().__init__(reason or "the effect was not begun: it is halted")


class NotApplied(StockyardError):
    """Raise it in the block of an effect when the venue has certainly not applied it: it may be tried again."""


class EffectRefused(StockyardError):
    """An effect was not begun, and nothing was done: the job's lease is lost, or ends too soon."""


class EffectNotFound(StockyardError):
    """There is no effect of that key."""


class EffectStateError(StockyardError):
    """An effect cannot be settled so: another outcome is known, or the run that began it may still be at it."""

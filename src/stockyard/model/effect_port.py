"""What an effect asks of its job's owner, and what it is answered."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, Protocol

import msgspec

StartResult = Literal["begun", "recorded", "wait", "unknown", "mismatch", "refused", "expired", "halted"]


class EffectRequest(msgspec.Struct, gc=False):
    """What a run asks for before it acts.

    Attributes:
        key: of the effect.
        starts, attempt: numbers of the job's start and of its attempt.
        payload: digest of what it is about.
        nonce: names this request, so that it may be sent again after a lost reply.
        most_ms, least_ms: how long it may take, and the least that it needs.
        expires_at: when its job expires, ms since the epoch; 0 for never.
        halt_keys: what a halt may name of it.
    """

    key: str
    starts: int
    attempt: int
    payload: str
    nonce: str
    most_ms: int
    least_ms: int
    expires_at: int = 0
    halt_keys: tuple[str, ...] = ()


class EffectStart(msgspec.Struct, gc=False):
    """What follows: the run may act, or why not.

    Attributes:
        result: ``begun``; ``recorded`` (an earlier run applied it); ``wait``; ``unknown``; ``mismatch``;
            ``refused``; ``expired``: its job was to act before; ``halted``.
        fence: how often it was begun.
        started_on, deadline: ms since the epoch, by the server's clock.
        left_ms: how long that is from now.
        value: JSON text of what was recorded.
        wait_ms: when to look again.
        reason: why it is not begun.
        halted_key: the key that is halted; None where the whole queue is.
    """

    result: StartResult
    fence: int = 0
    started_on: int = 0
    deadline: int = 0
    left_ms: int = 0
    value: str = "null"
    wait_ms: int = 0
    reason: str = ""
    halted_key: str | None = None


class EffectReport(msgspec.Struct, gc=False):
    """How an effect ended, in the order that the script reads.

    Attributes:
        key, nonce, fence: of the effect, and of the attempt at it.
        outcome: ``committed``, ``failed`` or ``unknown``, as the run knows.
        value: JSON text of what was recorded; empty where nothing was.
        reason: why it failed or is unknown, or empty.
    """

    key: str
    nonce: str
    fence: int
    outcome: str
    value: str = ""
    reason: str = ""


class EffectPort(Protocol):
    """What an effect needs from its job's owner."""

    def begin_effect(self, job_id: str, request: EffectRequest) -> Awaitable[EffectStart]: ...
    def report_effect(self, job_id: str, report: EffectReport) -> Awaitable[str]: ...
    def blocking(self, target: Any) -> Any: ...

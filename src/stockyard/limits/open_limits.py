"""The limits of one exchange on the server, as programs use them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._aio.randomness import jitter
from stockyard._store.jobs.admitting import admission_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits import holding, limiting
from stockyard._store.limits.limiting import LimitsKeyspace, LimitsLook, Request, TakeReply
from stockyard.blocking import BlockingOpenLimits
from stockyard.errors import InvalidOption, LimitReached, ServerError
from stockyard.limits.call import LimitedCall
from stockyard.limits.headers import counts_of, retry_after
from stockyard.limits.lines import Lines
from stockyard.limits.stats import Counts, LimitsStats, LimitsStatus, LimitUsage
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.job import Job
from stockyard.model.limit_use import LimitUse
from stockyard.model.limits import EGRESS, Cost, Limits, scope_text

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 1.0
"""Seconds after which a call that waits asks again, at the latest: a freeze may have been ended elsewhere."""
_ENDS_LOOK = 0.1
"""The same where the end of another process's call is waited for."""
_BANNED = 418
_LONGEST_FREEZE = 3_600.0
"""Seconds that ``Retry-After`` may ask for: a wrong number or date must not hold all processes for years."""
_LONGEST_BAN = 3 * 86_400.0
"""The same after a ban: Binance's last up to three days."""


class OpenLimits:
    """Admits calls within limits, on an App's server. Made by ``App.limits``, for several loops and threads.

    Args:
        limits: what was declared.
        keyspace: where they are counted.
        queues: what a freeze holds, too.
        egress: the value of the scope ``"ip"`` of this process.
        portal: for callers without a loop.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        keyspace: LimitsKeyspace,
        queues: Sequence[QueueKeyspace],
        egress: str,
        portal: Portal,
    ) -> None:
        self.declared: Limits = limits
        self.name: str = limits.name
        self._keyspace = keyspace
        self._queues = queues
        self.queues: tuple[str, ...] = tuple(queue.queue for queue in queues)
        self._egress = egress
        self._portal = portal
        self._lines = PerLoop(Lines)
        self._counts = Counts()
        self._undoing: set[asyncio.Task[Any]] = set()
        self._is_announced = False

    @property
    def sync(self) -> BlockingOpenLimits:
        """These limits for code without a running loop: ``limits.sync.status()``."""
        view: BlockingOpenLimits = self._portal.blocking(self)
        return view

    def take(
        self,
        cost: Cost | None = None,
        *,
        scope: Mapping[str, str] | None = None,
        lane: str = "",
        timeout: Duration | None = None,
    ) -> LimitedCall:
        """Return a call that waits, as ``async with limits.take(...) as call``, until all of its limits admit it.

        Calls of one process that need the same limits in the same scopes are admitted in the order they came.

        Args:
            cost: what it uses of each limit by its name, ``{"weight": 2, "orders": 1}``; of a limit that is left
                out, nothing. A number alone where there is one limit. Defaults to 1 where there is one limit.
            scope: values by the names in the limits' scopes, such as ``{"account": "A1"}``. ``"ip"`` defaults to
                ``STOCKYARD_EGRESS``.
            lane: whose reserves it may use; of limits with reserves one of their lanes. Defaults to none.
            timeout: the longest wait; 0 asks once, and does not stand in line. Defaults to no limit.

        Raises:
            InvalidOption: a limit, a lane or a value is not known or missing, or it costs more than a limit
                allows.
        """
        seconds = None if timeout is None else milliseconds(timeout, option="timeout") / 1000
        plan = self.declared.plan(cost, scope, lane, egress=self._egress)
        request = limiting.request_of(self.declared, plan, secrets.token_hex(8))
        return LimitedCall(self, request, timeout=seconds, portal=self._portal)

    async def call_of(self, job: Job[Any]) -> LimitedCall:
        """Return the call that admitted a job of a queue with these limits, to observe its reply or to settle it.

        Args:
            job: one that runs.

        Raises:
            InvalidOption: no limit admitted the job: it costs nothing, or its queue declares no limits.
            ServerError: the server did not answer.
        """
        queue = next((each for each in self._queues if each.queue == job.queue), None)
        admission = await admission_of(queue, job.id) if queue else None
        if admission is None:
            raise InvalidOption(
                f"job {job.id} of queue {job.queue!r} was not admitted by the limits {self.name!r}"
            )
        tickets, egress = admission
        use = job.options.use or LimitUse()
        # Another program may have added it, with lanes of its own.
        lane = use.lane if use.lane in self.declared.reserve else ""
        plan = self.declared.plan(use.costs, dict(use.scope), lane, egress=egress)
        call = LimitedCall(
            self, limiting.request_of(self.declared, plan, job.id), timeout=None, portal=self._portal
        )
        call.tickets, call.is_admitted = tickets, True
        return call

    async def observe(
        self, headers: Mapping[str, str], call: LimitedCall | None = None, *, status: int | None = None
    ) -> None:
        """Note what the exchange said in a reply.

        Its own count of a call wins: what is used becomes that count and the cost of the calls that were admitted
        after this one. The newest call wins; a reply of a window that is over is ignored.

        Args:
            headers: of the reply; limits name those that they read.
            call: what it replies to. Defaults to None: no count is read.
            status: one of ``freeze_on`` freezes the limits for as long as ``Retry-After`` says: an hour at most,
                and three days after 418, a ban. Defaults to none.

        Raises:
            InvalidOption: the headers are none, or the status is no whole number from 100 to 999.
            ServerError: the server did not answer.
        """
        if not callable(getattr(headers, "items", None)):
            raise InvalidOption(f"headers must be values by name, as of a reply; got {checks.shown(headers)}")
        if status is not None:
            checks.whole("status", status, least=100, most=999)
        counts = counts_of(self.declared, headers)
        if call is not None and call.is_admitted and counts:
            await limiting.observe(self._keyspace, call.request, call.tickets, counts)
            self._lines.get().wake()
        if status is not None and status in self.declared.freeze_on:
            least = self.declared.freeze_on[status]
            asked = self._bounded(retry_after(headers, time.time()), status)
            scope = self._own_scope() if call is None else call.request.plan.frozen_scope
            frozen = await self._freeze(scope, milliseconds(least if asked is None else asked, option="freeze_on"))
            level = logging.ERROR if status == _BANNED else logging.WARNING
            where = f" of {scope}" if scope else ""
            _log.log(level, "limits %s%s are frozen for %.1f s after status %d", self.name, where, frozen, status)

    async def settle(
        self, call: LimitedCall, outcome: Any = "unknown", *, refund: Mapping[str, float] | None = None
    ) -> None:
        """Give back what a call did not use; see ``LimitedCall.settle``."""
        await call.settle(outcome, refund=refund)

    async def freeze(self, duration: Duration, *, scope: Mapping[str, str] | None = None) -> float:
        """Hold all calls of all processes, and the declared queues; a freeze that ends later stays.

        Args:
            duration: from now on.
            scope: hold the calls of this scope alone, as ``{"ip": "10.0.0.1"}``; it is that of ``freeze_scope``.
                Defaults to all calls.

        Returns:
            For how many seconds they are held.

        Raises:
            InvalidOption: the duration is none, or the scope is not that of ``freeze_scope``.
            ServerError: the server did not answer.
        """
        return await self._freeze(
            freezable(self.name, self.declared.freeze_scope, scope), checks.positive_ms("duration", duration)
        )

    async def thaw(self, *, scope: Mapping[str, str] | None = None) -> int:
        """End the freezes of a scope, or of all; return how many there were. Calls come back without slow start.

        Raises:
            InvalidOption: the scope is not that of ``freeze_scope``.
            ServerError: the server did not answer.
        """
        if scope is not None:
            scopes = [freezable(self.name, self.declared.freeze_scope, scope)]
        else:
            look = await limiting.look(self._keyspace)
            scopes = list(look.frozen) if look else []
        ended = await holding.thaw(self._keyspace, self._queues, scopes)
        self._counts.note_freeze(0)
        self._lines.get().wake()
        return ended

    async def set_most(self, amounts: Mapping[str, float | None]) -> None:
        """Change amounts of limits for all processes at once, as when the exchange publishes others.

        A lowered limit denies until less is used.

        Args:
            amounts: of each limit by its name; None goes back to what is declared.

        Raises:
            InvalidOption: there is no such limit, it has no amount, or an amount is out of its range.
            ServerError: the server did not answer.
        """
        self.declared.with_most(**{name: most for name, most in amounts.items() if most is not None})
        for name in amounts:
            self.declared[name]
        await self._declare()
        await limiting.set_most(self._keyspace, amounts)
        self._lines.get().wake()

    async def status(self) -> LimitsStatus:
        """Return what is used and frozen, as all processes see it.

        Raises:
            ServerError: the server did not answer.
        """
        look = await limiting.look(self._keyspace)
        return status_of(self.name, look) if look else LimitsStatus(self.name, (), {}, self.declared.source)

    def stats(self) -> LimitsStats:
        """Return what this process did with these limits."""
        return self._counts.snapshot()

    async def admit(self, request: Request, timeout: float | None) -> tuple[tuple[Mapping[str, Any], ...], float]:
        """Wait until a call is admitted; return what later words of it are measured by, and the seconds it waited.

        Raises:
            LimitReached: it would have to wait longer than the timeout.
        """
        began, lines = monotonic(), self._lines.get()
        deadline = None if timeout is None else began + timeout
        line = request.plan.lane, tuple((use.limit.name, use.scope) for use in request.plan.uses)
        if lines.is_empty(line) or timeout == 0:
            reply = await self._ask(request)
            if not reply.wait_us:
                self._counts.admitted += 1
                return reply.tickets, 0.0
            self._check_wait(request, reply, deadline)
        self._counts.waiting += 1
        try:
            async with asyncio.timeout(timeout), lines.turn(line):
                reply = await self._wait(request, lines, deadline)
        except TimeoutError as error:
            # Those before it in the line did not come to be admitted in time.
            raise error if isinstance(error, LimitReached) else LimitReached(self.name, "", 0.0) from None
        finally:
            self._counts.waiting -= 1
            self._counts.wait_seconds += monotonic() - began
        self._counts.admitted += 1
        self._counts.waited += 1
        return reply.tickets, monotonic() - began

    async def settle_call(self, call: LimitedCall, refunds: Mapping[str, float], *, ends: bool) -> None:
        """Give back parts of a call's cost, and end or renew its places."""
        await limiting.settle(self._keyspace, call.request, call.tickets, refunds, ends=ends)
        if refunds or ends:
            self._lines.get().wake()

    async def _wait(self, request: Request, lines: Lines, deadline: float | None) -> TakeReply:
        """Ask until the call is admitted, at the times that the server names."""
        while True:
            reply = await self._ask(request)
            if not reply.wait_us:
                return reply
            self._check_wait(request, reply, deadline)
            longest = jitter(_ENDS_LOOK) if reply.may_end_early else _LOOK_AGAIN
            await lines.pause(min(reply.wait_us / 1e6, longest))

    async def _ask(self, request: Request) -> TakeReply:
        """Ask the server once. A caller that is cancelled meanwhile gives back what it may have been given."""
        asking = asyncio.create_task(limiting.take(self._keyspace, request))
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            undoing = asyncio.create_task(self._undo(asking, request))
            self._undoing.add(undoing)
            undoing.add_done_callback(self._undoing.discard)
            raise
        if not (reply.is_declared and self._is_announced):
            await self.announce()
        self._counts.note_usage(reply.views)
        if reply.wait_us and not reply.cause:
            self._counts.note_freeze(reply.wait_us / 1e6)
        return reply

    async def _undo(self, asking: asyncio.Task[TakeReply], request: Request) -> None:
        try:
            reply = await asking
            if reply.tickets:
                refunds = {use.limit.name: use.cost for use in request.plan.uses}
                await limiting.settle(self._keyspace, request, reply.tickets, refunds, ends=True)
        except ServerError as error:
            _log.debug("what a cancelled call cost under the limits %s stays used: %s", self.name, error)

    def _check_wait(self, request: Request, reply: TakeReply, deadline: float | None) -> None:
        """Refuse a wait that ends too late or never."""
        for view, use in zip(reply.views, request.plan.uses, strict=True):
            self.declared.check_fits(use.limit, use.cost, request.plan.lane, most=view.most)
        if deadline is None or monotonic() + reply.wait_us / 1e6 <= deadline:
            return
        if not reply.may_end_early or monotonic() >= deadline:
            raise LimitReached(self.name, reply.cause, reply.wait_us / 1e6)

    async def announce(self) -> None:
        """Note on the server what these limits are, for those who look at them without the program.

        The first call of a process does it, and so does a worker that starts: what was noted before may be of an
        earlier version of the program.
        """
        self._is_announced = True
        try:
            await self._declare()
        except ServerError as error:
            _log.debug("the limits %s are not listed: %s", self.name, error)

    async def _declare(self) -> None:
        await limiting.declare(self._keyspace, self.declared, self.queues)

    def _bounded(self, asked: float | None, status: int) -> float | None:
        """Return the seconds that a reply asks for, cut where no exchange means that long."""
        longest = _LONGEST_BAN if status == _BANNED else _LONGEST_FREEZE
        if asked is None or asked <= longest:
            return asked
        _log.warning(
            "limits %s: a reply with status %d asks for a wait of %.0f s; %.0f s is the most that it can ask for",
            self.name,
            status,
            asked,
            longest,
        )
        return longest

    def _own_scope(self) -> str:
        """Return the scope that a reply freezes whose call is not known."""
        return scope_text({EGRESS: self._egress or "default"}) if self.declared.freeze_scope == EGRESS else ""

    async def _freeze(self, scope: str, duration_ms: int) -> float:
        await self._declare()
        held = await holding.freeze(self._keyspace, self._queues, scope, max(duration_ms, 1))
        self._counts.freezes += 1
        self._counts.note_freeze(held / 1000)
        return held / 1000


def freezable(name: str, freeze_scope: str, scope: Mapping[str, str] | None) -> str:
    """Return a scope that can be frozen, as text; empty for all calls.

    Raises:
        InvalidOption: it is not a value of what the limits' freezes hold.
    """
    if scope is None:
        return ""
    given = checks.by_name("scope", scope, of="values")
    if list(given) != [freeze_scope]:
        of = f"a value for {freeze_scope!r}" if freeze_scope else "no scope: freeze_scope names none"
        raise InvalidOption(f"a freeze of {name!r} has {of}; got {checks.shown(dict(given))}")
    return scope_text({freeze_scope: checks.text(f"the scope {freeze_scope!r}", given[freeze_scope])})


def status_of(name: str, look: LimitsLook) -> LimitsStatus:
    """Return what the server has as programs read it."""
    usage = tuple(LimitUsage(*view) for view in look.views)
    return LimitsStatus(name, usage, {scope: us / 1e6 for scope, us in look.frozen.items()}, look.source)

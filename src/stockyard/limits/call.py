"""One call to an exchange, under its limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self

from stockyard._aio.portal import Portal
from stockyard._store.limits.limiting import Request
from stockyard.blocking import BlockingLimitedCall
from stockyard.errors import InvalidOption, ServerError
from stockyard.model import checks
from stockyard.model.duration import milliseconds
from stockyard.model.limit import InFlight

_log = logging.getLogger(__name__)

Outcome = Literal["never_sent", "refused", "unknown"]
"""What became of a call: ``never_sent`` gives back all that it cost, ``refused`` (by the exchange) what each limit
declares, ``unknown`` nothing."""


class Admission(Protocol):
    """What a call asks of the limits that it is under."""

    name: str

    async def admit(
        self, request: Request, timeout: float | None
    ) -> tuple[tuple[Mapping[str, Any], ...], float]: ...

    async def observe(
        self, headers: Mapping[str, str], call: LimitedCall | None = None, *, status: int | None = None
    ) -> None: ...

    async def settle_call(self, call: LimitedCall, refunds: Mapping[str, float], *, ends: bool) -> None: ...


class LimitedCall:
    """A call that waits until its limits admit it. Made by ``OpenLimits.take``:

        async with limits.take(cost={"weight": 1}) as call:
            response = await client.get(...)
            await call.observe(response.headers, status=response.status_code)

    Code without a running loop writes ``with limits.take(...).sync as call``. What the call costs stays used when
    the block ends; its place among calls under way (``InFlight``) ends with it.

    Attributes:
        is_admitted: whether its limits have admitted it.
        waited: seconds that it waited until it was admitted.
    """

    def __init__(self, limits: Admission, request: Request, *, timeout: float | None, portal: Portal) -> None:
        self._limits = limits
        self._portal = portal
        self._timeout = timeout
        self._renewing: asyncio.Task[None] | None = None
        self._is_settled = False
        self.is_admitted: bool = False
        self.request: Request = request
        self.tickets: tuple[Mapping[str, Any], ...] = ()
        self.waited: float = 0.0

    @property
    def sync(self) -> BlockingLimitedCall:
        """This call for code without a running loop: ``with limits.take(...).sync as call``."""
        view: BlockingLimitedCall = self._portal.blocking(self)
        return view

    async def acquire(self) -> None:
        """Wait until all limits admit the call; ``async with`` does this.

        Raises:
            LimitReached: it would have to wait longer than its timeout.
            InvalidOption: it costs more than a limit allows by now.
            ServerError: the server did not answer; without it, no call is made.
        """
        self.tickets, self.waited = await self._limits.admit(self.request, self._timeout)
        self.is_admitted = True
        leases = [use.limit.lease for use in self.request.plan.uses if isinstance(use.limit, InFlight)]
        if leases:
            seconds = min(milliseconds(lease, option="lease") for lease in leases) / 3000
            self._renewing = asyncio.create_task(self._renew(seconds))

    async def release(self) -> None:
        """End the call's places among those under way; ``async with`` does this. Releasing twice is fine."""
        renewing, self._renewing = self._renewing, None
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._limits.settle_call(self, {}, ends=True)

    async def observe(self, headers: Mapping[str, str], *, status: int | None = None) -> None:
        """Note what the exchange said in its reply: its own counts, and whether all calls have to wait.

        Args:
            headers: of the reply.
            status: of the reply. Defaults to none: the headers' counts alone are read.

        Raises:
            InvalidOption: the headers are none, or the status is no whole number from 100 to 999.
            ServerError: the server did not answer.
        """
        await self._limits.observe(headers, self, status=status)

    async def settle(self, outcome: Outcome = "unknown", *, refund: Mapping[str, float] | None = None) -> None:
        """Give back what the call did not use, once.

        What the exchange has counted since, as an observed reply of a later call, is not given back: its count has
        it already.

        Args:
            outcome: what became of the call; see ``Outcome``.
            refund: of each limit by its name, instead: what the exchange gives back, as for a fill.

        Raises:
            InvalidOption: there is no such outcome or limit, or the call was not admitted.
            ServerError: the server did not answer.
        """
        checks.one_of("outcome", outcome, ("never_sent", "refused", "unknown"))
        if not self.is_admitted:
            raise InvalidOption("a call can be settled once it was admitted: inside of its block, or after it")
        refunds = self._refunds(outcome) if refund is None else self._checked(refund)
        if outcome != "unknown" and refund is None:
            if self._is_settled:
                return
            self._is_settled = True
        if refunds:
            await self._limits.settle_call(self, refunds, ends=False)

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.release()
        except ServerError as error:
            # The call is over; its place ends by itself, and what the block raised says more.
            _log.warning("a call under the limits %s keeps its place for a while: %s", self._limits.name, error)

    def _refunds(self, outcome: Outcome) -> dict[str, float]:
        return {
            use.limit.name: use.cost
            for use in self.request.plan.uses
            if outcome == "never_sent" or (outcome == "refused" and use.limit.refused == "refund")
        }

    def _checked(self, refund: Mapping[str, float]) -> dict[str, float]:
        known = {use.limit.name for use in self.request.plan.uses}
        given = checks.by_name("refund", refund, of="amounts")
        checks.refuse_unknown(given, known, what="limit", of="this call")
        return {name: checks.number(f"the refund of {name!r}", amount, least=0) for name, amount in given.items()}

    async def _renew(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._limits.settle_call(self, {}, ends=False)
            except ServerError as error:
                _log.warning("a call under the limits %s could not renew its place: %s", self._limits.name, error)

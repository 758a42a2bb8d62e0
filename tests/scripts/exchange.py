"""What the tests of the limits' scripts share: an exchange whose calls are made at given times."""

import secrets
from collections.abc import Mapping

from stockyard._store.limits import limiting
from stockyard._store.limits.limiting import LimitsKeyspace, LimitView, Request, TakeReply
from stockyard._store.net.server import Server
from stockyard.model.limit import Limit
from stockyard.model.limits import Limits
from stockyard.model.naming import Naming

START = 1_700_006_400_000
"""A full day of the clock, in ms."""


class Admitted:
    """A call that was admitted."""

    def __init__(self, request: Request, reply: TakeReply) -> None:
        self.request = request
        self.reply = reply


class Exchange:
    """Limits on a server whose time is given with each call, in seconds from a full day.

    Several of them with one name are several processes.
    """

    def __init__(self, server: Server, naming: Naming, *limits: Limit, **options: object) -> None:
        self.limits = Limits("x", limits, **options)  # type: ignore[arg-type]
        self.now = START
        self.keyspace = LimitsKeyspace(server, naming, "x", clock=lambda: self.now)

    def at(self, seconds: float) -> None:
        """Move the clock."""
        self.now = START + round(seconds * 1000)

    async def ask(
        self,
        seconds: float,
        cost: Mapping[str, float] | float = 1,
        scope: Mapping[str, str] | None = None,
        lane: str = "",
    ) -> Admitted | float:
        """Ask for a call; return it, or the seconds that it has to wait."""
        self.at(seconds)
        plan = self.limits.plan(cost, scope, lane)
        request = limiting.request_of(self.limits, plan, secrets.token_hex(4))
        reply = await limiting.take(self.keyspace, request)
        return reply.wait_us / 1e6 if reply.wait_us else Admitted(request, reply)

    async def take(self, seconds: float, *asked: object, **options: object) -> Admitted:
        """Make a call that is admitted."""
        call = await self.ask(seconds, *asked, **options)  # type: ignore[arg-type]
        assert isinstance(call, Admitted), call
        return call

    async def wait(self, seconds: float, *asked: object, **options: object) -> float:
        """Ask for a call that is not admitted; return the seconds that it has to wait."""
        wait = await self.ask(seconds, *asked, **options)  # type: ignore[arg-type]
        assert isinstance(wait, float), wait
        return wait

    async def count(self, seconds: float, number: int, *asked: object, **options: object) -> tuple[int, float]:
        """Ask for several calls; return how many were admitted, and what the first of the others waits."""
        admitted = 0
        for _ in range(number):
            call = await self.ask(seconds, *asked, **options)  # type: ignore[arg-type]
            if isinstance(call, float):
                return admitted, round(call, 3)
            admitted += 1
        return admitted, 0

    async def observe(self, seconds: float, call: Admitted, **used: float) -> int:
        """Note what the exchange has counted at a call."""
        self.at(seconds)
        counts = {name: {"used": amount} for name, amount in used.items()}
        return await limiting.observe(self.keyspace, call.request, call.reply.tickets, counts)

    async def settle(self, seconds: float, call: Admitted, **refunds: float) -> int:
        """Give back a part of a call's cost, and end it."""
        self.at(seconds)
        tickets = call.reply.tickets
        return await limiting.settle(self.keyspace, call.request, tickets, refunds, ends=True)

    async def renew(self, seconds: float, call: Admitted) -> int:
        """Renew the places of a call that is under way."""
        self.at(seconds)
        return await limiting.settle(self.keyspace, call.request, call.reply.tickets, {}, ends=False)

    async def freeze(self, seconds: float, duration: float, scope: str = "") -> float:
        """Hold all calls, or those of a scope; return the seconds that they are held for."""
        self.at(seconds)
        return await limiting.freeze(self.keyspace, scope, round(duration * 1000)) / 1000

    async def views(self, seconds: float) -> list[LimitView]:
        """Return what is used."""
        self.at(seconds)
        look = await limiting.look(self.keyspace)
        assert look is not None
        return list(look.views)

    async def clear(self, *limits: str) -> None:
        """Delete what was counted of limits without a scope."""
        names = ["head", "paths", *(f"s:{name}:" for name in limits)]
        await self.keyspace.server.call("DEL", *(self.keyspace.base + name for name in names))

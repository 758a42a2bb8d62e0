"""The paper exchange as its clients meet it: a server that answers late now and then, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

import msgspec

from stockyard.effects import Applied, EffectRecord, NotApplied, Venue
from stockyard.limits import Fixed, Limits, Rolling
from stockyard.model.options import AddOptions
from stockyard.trading.demo.exchange import Ack, PaperExchange
from stockyard.trading.payloads import Order

PAPER_VENUE = Venue(
    name="the paper exchange", dedup="open_orders", verify="authoritative", settle="250ms", source="this module"
)
"""It refuses what arrives after the time that a request names, so a query is a proof a moment after that."""

ORDERS = 30
"""What the exchange takes in a second."""

PAPER_LIMITS = Limits(
    "paper",
    [
        Rolling("orders", ORDERS, per="1s", scope="account"),
        Fixed("weight", 900, per="10s", scope="account"),
    ],
)
"""Its limits of each account; the rate of the platform's queue would make the demo last a minute."""


def usage_of(order: Order) -> AddOptions:
    """Return what an order uses of the limits: one of the orders, and a weight for each hundred shares."""
    return {"cost": {"orders": 1, "weight": 1 + order.quantity // 100}, "scope": {"account": "desk"}}


Fate = Literal["answered", "silent", "late", "lost"]
_LATE = 0.8


class PlaceOrder(msgspec.Struct, frozen=True, tag="place"):
    """Fill an order, unless it arrives after ``expires_at``, seconds since the epoch."""

    order: Order
    expires_at: float


class FindOrder(msgspec.Struct, frozen=True, tag="find"):
    """Say what became of an order."""

    client_order_id: str


class Answer(msgspec.Struct, frozen=True):
    """An order that was filled; without one, why not."""

    ack: Ack | None
    reason: str = ""


_requests = msgspec.json.Decoder(PlaceOrder | FindOrder)
_answers = msgspec.json.Decoder(Answer)


def fate_of(client_order_id: str, number: int) -> Fate:
    """Return what happens to the n-th request for an order: most are answered; it is the same in every replay."""
    match hashlib.sha256(f"{client_order_id}|{number}".encode()).digest()[0]:
        case chance if chance < 14:
            return "silent"
        case chance if chance < 26:
            return "late"
        case chance if chance < 38:
            return "lost"
    return "answered"


class VenueServer:
    """Serves the paper exchange on this machine, in a process that no fault of the demo touches.

    A request takes 5 to 20 ms on its way there, and as long on its way back. Of a hundred, about five are filled
    and not answered, five answered too late, and five lost on their way.

    Args:
        book: where orders are filled.

    Attributes:
        fates: how many requests had which.
        refused: how many came too late.
    """

    def __init__(self, book: PaperExchange) -> None:
        self.fates: Counter[str] = Counter()
        self.refused: int = 0
        self._book = book
        self._numbers: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # Its close cancels what it still serves: on Python 3.11 the streams would log that as an error.
            with suppress(OSError, ValueError, msgspec.MsgspecError, asyncio.CancelledError):
                answer = await self._answer(_requests.decode(await reader.readline()), reader)
                if answer is not None:
                    writer.write(msgspec.json.encode(answer) + b"\n")
                    await writer.drain()
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, request: PlaceOrder | FindOrder, reader: asyncio.StreamReader) -> Answer | None:
        if isinstance(request, FindOrder):
            return Answer(self._book.find(request.client_order_id), "no order of that id")
        key = request.order.client_order_id
        seconds = 0.005 + 0.015 * hashlib.sha256(key.encode()).digest()[2] / 255
        await asyncio.sleep(seconds)
        self._numbers[key] += 1
        fate = fate_of(key, self._numbers[key])
        self.fates[fate] += 1
        if fate == "lost":
            await reader.read()  # until its sender gives up
            return None
        if time.time() > request.expires_at:
            self.refused += 1
            return Answer(None, "it arrived after the time that it was valid for")
        ack = self._book.take(request.order)
        if fate == "silent":
            await reader.read()
            return None
        await asyncio.sleep(_LATE if fate == "late" else seconds)
        return Answer(ack)


class VenueClient:
    """What a worker knows of the exchange.

    Args:
        port: of its server.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    async def place(self, order: Order, *, expires_at: float) -> Ack:
        """Place an order; without an answer, it may have been filled.

        Args:
            order: the order.
            expires_at: until when the exchange accepts it, seconds since the epoch.

        Raises:
            NotApplied: it was refused.
            OSError: there is no answer.
        """
        answer = await self._ask(PlaceOrder(order, expires_at))
        if answer.ack is None:
            raise NotApplied(f"the exchange refused {order.client_order_id}: {answer.reason}")
        return answer.ack

    async def became_of(self, effect: EffectRecord) -> Applied | Literal["not_applied"]:
        """Ask for an order whose outcome is unknown: the reconciliation of the queue of orders."""
        answer = await self._ask(FindOrder(effect.key))
        return "not_applied" if answer.ack is None else Applied(answer.ack)

    async def _ask(self, request: PlaceOrder | FindOrder) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(msgspec.json.encode(request) + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
        if not line:
            raise ConnectionError("the exchange closed the connection without an answer")
        return _answers.decode(line)

"""A venue as crash tests need it: it takes orders late, ignores some second requests, and shows its book late."""

import random
from typing import NamedTuple

from stockyard.effects import Applied, EffectRecord, Venue

RECEIVE_WINDOW = 2_000
"""Ms for which the venue accepts a request behind the deadline that it was signed with."""

LAG = 3_000
"""Ms for which an order that was accepted may be missing from the venue's answers."""

SETTLE = RECEIVE_WINDOW + LAG
RULES = {"never": "never", "open_orders": "open_orders", "window": "window:30s", "forever": "forever"}
WINDOW = 30_000


class Request(NamedTuple):
    """An order on its way: when it arrives, until when it is accepted, and how long after that it is filled."""

    key: str
    arrives: int
    expires: int
    fills_after: int


class Order(NamedTuple):
    """An order in the book: since when, since when it is shown, and when it was filled."""

    key: str
    accepted: int
    shown: int
    filled: int


class PaperVenue:
    """Its book is the oracle: an order is there once, or not at all.

    Args:
        rule: what it does with a second request of a key; a name of ``RULES``.
        chance: decides delays.
    """

    def __init__(self, rule: str, chance: random.Random) -> None:
        self.book: list[Order] = []
        self._rule = rule
        self._chance = chance
        self._on_the_way: list[Request] = []

    def venue(self, *, verify: bool) -> Venue:
        """Its rules as a queue declares them."""
        return Venue(dedup=RULES[self._rule], verify="eventual" if verify else None, settle=f"{SETTLE}ms")

    def send(self, key: str, *, now: int, deadline: int) -> Request:
        """Put a request on its way; it may be held up for longer than it is accepted."""
        delay = self._chance.choice((5, 50, 300, 1_500, 4_000))
        request = Request(key, now + delay, deadline + RECEIVE_WINDOW, self._chance.choice((1, 400, 60_000)))
        self._on_the_way.append(request)
        return request

    def advance(self, now: int) -> None:
        """Take what has arrived by now, in the order of arrival."""
        arrived = sorted((each for each in self._on_the_way if each.arrives <= now), key=lambda each: each.arrives)
        self._on_the_way = [each for each in self._on_the_way if each.arrives > now]
        for request in arrived:
            if request.arrives <= request.expires and not self._ignores(request):
                shown = request.arrives + self._chance.randint(0, LAG)
                filled = request.arrives + request.fills_after
                self.book.append(Order(request.key, request.arrives, shown, filled))

    def orders(self, key: str) -> int:
        """How many orders of a key the book has."""
        return sum(order.key == key for order in self.book)

    def shows(self, key: str, now: int) -> bool:
        """Whether a query for a key finds an order now."""
        return any(order.key == key and order.shown <= now for order in self.book)

    async def find(self, effect: EffectRecord, *, now: int) -> Applied | str:
        """What a reconciliation answers."""
        return Applied({"found": effect.key}) if self.shows(effect.key, now) else "not_applied"

    def _ignores(self, request: Request) -> bool:
        """Whether the venue refuses a request because it has one of its key."""
        same = [order for order in self.book if order.key == request.key]
        match self._rule:
            case "never":
                return False
            case "open_orders":
                return any(order.filled > request.arrives for order in same)
            case "window":
                return any(request.arrives - order.accepted < WINDOW for order in same)
            case _:
                return bool(same)

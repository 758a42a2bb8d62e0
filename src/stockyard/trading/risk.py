"""Approvals of orders by the risk service: asked once, remembered for a while, revoked at once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from stockyard.app import App
from stockyard.model.duration import Duration
from stockyard.trading.payloads import Order
from stockyard.trading.platform import default_app


class Approval(msgspec.Struct, frozen=True):
    """The risk service's answer on one order of an account; ``reason`` says why not."""

    account: str
    order_hash: str
    approved: bool
    reason: str = ""


Assess = Callable[[str, Order], Awaitable[Approval]]
"""Asks the risk service about an order of an account."""


class RiskApprovals:
    """The approvals of all accounts, shared by every process that asks.

    An answer is kept by account and order, so an order that is changed is asked about again. It expires, never
    later than ``ttl``; all answers of an account end when they are revoked, also one that is under way just then.

    Args:
        assess: asks the risk service.
        app: whose cache keeps the answers. Defaults to the platform's.
        ttl: how long an answer holds. Defaults to 1 minute.

    Example:
        approvals = RiskApprovals(ask_risk_service)
        if (await approvals.of("A1", order)).approved: ...
        await approvals.revoke("A1")
    """

    def __init__(self, assess: Assess, *, app: App | None = None, ttl: Duration = "1m") -> None:
        self._assess = assess
        # No jitter, which would let an approval live longer than it may.
        self._cache = (app or default_app()).cache("risk:approvals", Approval, ttl=ttl, jitter=0)

    async def of(self, account: str, order: Order) -> Approval:
        """Return the answer for an order: the one that holds, or the risk service's own.

        Raises:
            What ``assess`` raises.
        """
        return await self._cache.get_or_set(
            f"{account}/{order_hash(order)}", lambda: self._assess(account, order), tags=[f"account:{account}"]
        )

    async def revoke(self, account: str) -> None:
        """Let no answer for this account hold any more, in any process.

        Raises:
            ServerError: the server did not answer, so answers may still hold.
        """
        await self._cache.invalidate(f"account:{account}")


def order_hash(order: Order) -> str:
    """Return what distinguishes an order from every other, in every process."""
    return hashlib.sha256(msgspec.json.encode(order, order="sorted")).hexdigest()[:32]

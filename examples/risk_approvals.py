"""Risk approvals: asked once by several workers, remembered, revoked for an account; on a server of its own."""

import asyncio
from datetime import date

from stockyard import App
from stockyard.trading import PLATFORM, Approval, Order, RiskApprovals, order_hash

ORDER = Order("A1-1", "BTCUSDT", "buy", 2, 64_000.0, date(2026, 1, 5))


async def ask_risk_service(account: str, order: Order) -> Approval:
    """Stand in for a service that takes its time."""
    print(f"the risk service is asked about {order.quantity} {order.symbol} of {account}")
    await asyncio.sleep(0.1)
    limit = 5
    if order.quantity > limit:
        return Approval(account, order_hash(order), approved=False, reason=f"more than {limit}")
    return Approval(account, order_hash(order), approved=True)


async def main() -> None:
    async with App(PLATFORM, redis="embedded://") as app:
        approvals = RiskApprovals(ask_risk_service, app=app, ttl="1m")
        await approvals.revoke("A1")

        answers = await asyncio.gather(*(approvals.of("A1", ORDER) for _ in range(50)))
        print(f"50 asked at once: {sum(each.approved for each in answers)} approved")

        larger = Order("A1-2", "BTCUSDT", "buy", 9, 64_000.0, date(2026, 1, 5))
        print(f"a larger order: {(await approvals.of('A1', larger)).reason}")
        print(f"the first again: {(await approvals.of('A1', ORDER)).approved}")

        await approvals.revoke("A1")
        print("revoked")
        await approvals.of("A1", ORDER)


if __name__ == "__main__":
    asyncio.run(main())

"""Risk approvals: by account and order, for a while, until revoked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date

import msgspec
import pytest
import redis

from stockyard import App
from stockyard.trading import PLATFORM, Approval, Order, RiskApprovals, order_hash
from tests.support.waiting import eventually, stays

ORDER = Order("A1-1", "BTCUSDT", "buy", 2, 64_000.0, date(2026, 1, 5))


@dataclass
class Service:
    """A risk service that answers when it may, and remembers what it was asked."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def assess(self, account: str, order: Order) -> Approval:
        self.asked.append((account, order.quantity))
        before = len(self.asked)
        await self.may.wait()
        return Approval(account, order_hash(order), approved=True, reason=f"answer {before}")


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(PLATFORM, redis_url, prefix=prefix) as app:
        yield app


async def test_one_answer_for_an_account_and_an_order(app: App) -> None:
    service = Service()
    service.may.set()
    approvals = RiskApprovals(service.assess, app=app)
    answers = await asyncio.gather(*(approvals.of("A1", ORDER) for _ in range(10)))
    assert set(answers) == {Approval("A1", order_hash(ORDER), True, "answer 1")}
    await approvals.of("A2", ORDER)
    await approvals.of("A1", msgspec.structs.replace(ORDER, quantity=3))
    await approvals.of("A1", ORDER)
    assert service.asked == [("A1", 2), ("A2", 2), ("A1", 3)]


async def test_an_answer_expires(app: App, raw: "redis.Redis", prefix: str) -> None:
    service = Service()
    service.may.set()
    await RiskApprovals(service.assess, app=app, ttl="90s").of("A1", ORDER)
    left = raw.pttl(f"{prefix}::cache:risk:approvals::e:A1/{order_hash(ORDER)}")
    assert 80_000 < left <= 90_000


async def test_a_revoked_account_is_asked_about_again_and_others_are_not(app: App) -> None:
    service = Service()
    service.may.set()
    approvals = RiskApprovals(service.assess, app=app)
    await approvals.of("A1", ORDER)
    await approvals.of("A2", ORDER)
    await approvals.revoke("A1")
    await approvals.of("A1", ORDER)
    await approvals.of("A2", ORDER)
    assert service.asked == [("A1", 2), ("A2", 2), ("A1", 2)]


async def test_an_answer_that_was_under_way_when_it_was_revoked_is_not_given_to_who_asks_later(app: App) -> None:
    service = Service()
    approvals = RiskApprovals(service.assess, app=app)
    before = asyncio.create_task(approvals.of("A1", ORDER))
    await eventually(lambda: service.asked)
    await approvals.revoke("A1")
    after = asyncio.create_task(approvals.of("A1", ORDER))
    await stays(lambda: not after.done())
    service.may.set()
    assert (await before).reason == "answer 1"
    assert (await after).reason == "answer 2"
    assert (await approvals.of("A1", ORDER)).reason == "answer 2"

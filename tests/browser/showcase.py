"""A desk at work, for looking at: something of everything that the dashboard has a page for."""

import asyncio
from typing import Any

from stockyard import Flow, Job, JobState, Topology
from stockyard.effects import Venue
from stockyard.limits import Fixed, Limits
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.pubsub import Channel
from tests.support.waiting import eventually
from tests.support.yard import Yard

ORDERS, SIGNALS, REPORTS, CANDLES = "execution:orders", "strategy:signals", "reports", "market:candles"
EXCHANGE = Limits(
    "exchange",
    [Fixed("weight", 1_200, per="1m", scope="ip"), Fixed("orders", 50, per="10s", scope="account")],
)
FILLS = Channel("fills", dict[str, Any], durable=True)


def desk() -> Topology:
    """Declare the desk's queues."""
    topology = Topology("desk")
    venue = Venue(dedup="never")
    topology.queue(ORDERS, attempts=2, venue=venue, description="Orders on their way to the exchange.")
    topology.queue(SIGNALS, ordered=True, on_poison="park", attempts=1, concurrency=5)
    topology.queue(REPORTS, attempts=1)
    topology.queue(CANDLES, attempts=3, rate="500/s")
    return topology


async def fill(yard: Yard) -> None:
    """Let the desk of a yard work until it has something of everything."""
    for name, concurrency in ((ORDERS, 10), (SIGNALS, 5), (REPORTS, 2), (CANDLES, 20)):
        await yard.work(_run, name, concurrency=concurrency, name=f"desk-{name.rpartition(':')[2]}", grace=0)
    candles = yard.queue(CANDLES)
    await candles.add_many(
        ("ingest", {"symbol": symbol, "day": day})
        for day in range(60)
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    )
    await candles.add("ingest", {"symbol": "BTCUSDT", "day": 61}, job_id="tomorrow", delay="6h")
    orders = yard.queue(ORDERS)
    await orders.add_many(
        ("submit", {"symbol": "BTCUSDT", "quantity": n}, {"job_id": f"A{n}"}) for n in range(1, 9)
    )
    await orders.add("submit", {"symbol": "ETHUSDT", "quantity": 3}, job_id="lost-answer")
    await orders.add("margin", {"symbol": "SOLUSDT", "quantity": 900}, job_id="A20", backoff="10ms")
    await orders.add("margin", {"symbol": "SOLUSDT", "quantity": 700}, job_id="A21", backoff="10ms")
    await orders.add("slow", {"symbol": "BTCUSDT"}, job_id="A30")
    signals = yard.queue(SIGNALS)
    for symbol in ("BTCUSDT", "NOSUCH"):
        for side in ("buy", "hold", "sell"):
            await signals.add("signal", {"symbol": symbol, "side": side}, key=symbol, job_id=f"{symbol}-{side}")
    await yard.app.flows.add(
        Flow(
            "daily",
            REPORTS,
            {"day": "2026-01-05"},
            job_id="daily",
            children=[
                Flow("positions", REPORTS, {"account": "A1"}, job_id="positions"),
                Flow(
                    "slow",
                    REPORTS,
                    {"account": "A1"},
                    job_id="risk",
                    children=[Flow("prices", REPORTS, job_id="p")],
                ),
            ],
        )
    )
    schedules = yard.app.schedules(REPORTS)
    await schedules.upsert("close", cron="0 18 * * MON-FRI", tz="America/New_York", name="daily")
    await schedules.upsert("after-open", session="open+15m", calendar="XNYS", name="daily")
    await schedules.upsert("every-hour", every="1h", name="positions", offset=0)
    limits = yard.app.limits(EXCHANGE)
    async with limits.take(cost={"weight": 700, "orders": 12}, scope={"account": "A1"}):
        pass
    await limits.freeze("10m")
    await yard.app.halt("backtest:*", reason="the data is wrong", by="ada")
    cache = yard.app.cache("approvals", dict[str, Any], ttl="1h")
    for account in ("A1", "A2", "A1"):
        await cache.get_or_set(account, _approve)
    fills = yard.app.channel(FILLS)
    await fills.publish({"symbol": "BTCUSDT", "quantity": 3})
    await yard.app.alert_monitor(AlertSettings(notifiers=())).check_once()
    await eventually(lambda: _is_filled(yard))


async def _is_filled(yard: Yard) -> bool:
    counts = {name: await yard.queue(name).counts() for name in (ORDERS, SIGNALS, CANDLES)}
    return (
        counts[ORDERS][JobState.FAILED] == 3
        and counts[ORDERS][JobState.ACTIVE] == 1
        and counts[SIGNALS][JobState.FAILED] == 1
        and not counts[CANDLES][JobState.WAITING]
    )


async def _approve(account: str) -> dict[str, Any]:
    return {"account": account, "approved": True}


async def _run(job: Job[Any]) -> Any:
    await job.log(f"{job.name} of {job.id} begins")
    match job.name, job.data:
        case "slow", _:
            await job.update_progress(40)
            await asyncio.Event().wait()
        case "margin", {"quantity": quantity}:
            raise ValueError(f"order {job.id} of {quantity} has no margin")
        case "signal", {"symbol": "NOSUCH"}:
            raise LookupError("NOSUCH is not traded")
        case "submit", _:
            async with job.effect(job.id, max_duration="1s") as effect:
                if job.id == "lost-answer":
                    raise ConnectionError("the exchange did not answer")
                effect.record({"order": job.id, "status": "NEW"})
    return {"of": job.id}

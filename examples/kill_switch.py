"""Kill switch: a venue that is away opens a circuit breaker; then a person stops all of an account's orders."""

import asyncio

from stockyard import App, Job, JobState, Topology
from stockyard.events import PausedEvent
from stockyard.halts import Breaker, Halt

desk = Topology("desk")
orders = desk.queue(
    "execution:orders",
    attempts=2,
    breaker=Breaker(failures=2, within="30s", reset_after="200ms", on=ConnectionError),
)


class Venue:
    """Stands for the exchange; it is away at first."""

    def __init__(self) -> None:
        self.is_up = False

    def place(self, order: str) -> str:
        if not self.is_up:
            raise ConnectionError("the venue is away")
        return f"placed {order}"


venue = Venue()


@orders.handler("submit")
async def submit(job: Job[str]) -> str:
    return venue.place(job.data)


async def open_breaker(app: App) -> Halt:
    """Return the halt of the circuit breaker, once it is open."""
    async with app.events("execution:orders", after="0-0", only=[PausedEvent]) as events:
        await anext(events)
    (halt,) = await app.halts()
    return halt


async def main() -> None:
    async with App(desk, redis="embedded://") as app:
        worker = app.worker("execution:orders")
        running = asyncio.create_task(worker.run())
        queue = app.queue("execution:orders")

        jobs = [await queue.add("submit", f"A{number}", key="account-1") for number in range(3)]
        halt = await open_breaker(app)
        print(f"halted by the {halt.by}: {halt.reason}")
        venue.is_up = True
        for job in jobs:
            print(await job.wait_for_result("10s"))

        await app.halt("execution:*", key="account-1", reason="margin call", by="ada")
        held = await queue.add("submit", "A3", key="account-1")
        other = await queue.add("submit", "B0", key="account-2")
        print(await other.wait_for_result("10s"))
        print("A3 is placed:", await held.state() == JobState.COMPLETED)
        await app.resume("execution:*", key="account-1", by="ada", reason="margin posted")
        print(await held.wait_for_result("10s"))
        print([change.action for change in reversed(await app.halt_audit()) if change.by != "breaker"])
        await worker.stop()
        await running


if __name__ == "__main__":
    asyncio.run(main())

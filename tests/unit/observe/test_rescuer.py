"""When the queues of dead workers are swept by somebody else."""

from stockyard import QueueHealth
from stockyard.observe.rescuer import SETTLED, Rescuer


class Sweeper:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.looks = 0

    async def hand_back(self) -> list[str]:
        self.looks += 1
        return []


def queue(name: str = "fills", *, held: bool) -> QueueHealth:
    return QueueHealth(name, 0, 1, 0, 0, 0, longest_active_job="1", longest_active_held=held)


async def test_a_lease_must_have_been_gone_for_a_while() -> None:
    sweeper = Sweeper()
    rescuer = Rescuer({"fills": sweeper})
    await rescuer.look([queue(held=False)], now=100)
    await rescuer.look([queue(held=False)], now=100 + SETTLED - 0.1)
    assert sweeper.looks == 0
    await rescuer.look([queue(held=False)], now=100 + SETTLED)
    await rescuer.look([queue(held=False)], now=100 + SETTLED + 1)
    assert sweeper.looks == 2


async def test_a_lease_that_is_renewed_meanwhile_begins_anew() -> None:
    sweeper = Sweeper()
    rescuer = Rescuer({"fills": sweeper})
    for now, held in ((100, False), (101, True), (102, False), (102 + SETTLED - 0.1, False)):
        await rescuer.look([queue(held=held)], now=now)
    assert sweeper.looks == 0


async def test_after_an_outage_it_begins_anew() -> None:
    sweeper = Sweeper()
    rescuer = Rescuer({"fills": sweeper})
    await rescuer.look([queue(held=False)], now=100)
    rescuer.forget()
    await rescuer.look([queue(held=False)], now=100 + SETTLED)
    assert sweeper.looks == 0


async def test_only_the_queue_of_the_dead_worker_is_swept() -> None:
    fills, orders = Sweeper(), Sweeper()
    rescuer = Rescuer({"fills": fills, "orders": orders})
    for now in (100, 100 + SETTLED):
        await rescuer.look([queue("fills", held=True), queue("orders", held=False)], now=now)
    assert (fills.looks, orders.looks) == (0, 1)

"""When the jobs of dead workers are handed back though no worker of their queue is left."""

from stockyard.consume.recover.orphans import SETTLED, OrphanRecoverer


class Recoverer:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.looks = 0

    async def hand_back(self) -> list[str]:
        self.looks += 1
        return []


async def look(orphans: OrphanRecoverer, *, now: float, **held: bool) -> None:
    """See whether the longest runs of queues have a lease, and recover what is due."""
    orphans.note({name: not is_held for name, is_held in held.items()}, now=now)
    await orphans.recover()


async def test_a_lease_must_have_been_gone_for_a_while() -> None:
    recoverer = Recoverer()
    orphans = OrphanRecoverer({"fills": recoverer})
    await look(orphans, fills=False, now=100)
    await look(orphans, fills=False, now=100 + SETTLED - 0.1)
    assert recoverer.looks == 0
    await look(orphans, fills=False, now=100 + SETTLED)
    await look(orphans, fills=False, now=100 + SETTLED + 1)
    assert recoverer.looks == 2


async def test_a_lease_that_is_renewed_meanwhile_begins_anew() -> None:
    recoverer = Recoverer()
    orphans = OrphanRecoverer({"fills": recoverer})
    for now, held in ((100, False), (101, True), (102, False), (102 + SETTLED - 0.1, False)):
        await look(orphans, fills=held, now=now)
    assert recoverer.looks == 0


async def test_after_an_outage_it_begins_anew() -> None:
    recoverer = Recoverer()
    orphans = OrphanRecoverer({"fills": recoverer})
    await look(orphans, fills=False, now=100)
    orphans.forget()
    await look(orphans, fills=False, now=100 + SETTLED)
    assert recoverer.looks == 0


async def test_only_the_queue_of_the_dead_worker_is_swept() -> None:
    fills, orders = Recoverer(), Recoverer()
    orphans = OrphanRecoverer({"fills": fills, "orders": orders})
    for now in (100, 100 + SETTLED):
        await look(orphans, fills=True, orders=False, now=now)
    assert (fills.looks, orders.looks) == (0, 1)

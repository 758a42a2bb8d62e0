"""An application with a queue in order by key, which parks keys."""

from stockyard import Job, Topology

desk = Topology("desk")
orders = desk.queue("execution:orders", ordered=True)


@orders.handler("place")
async def place(job: Job[int]) -> None:
    """Refuse what is less than nothing."""
    if job.data < 0:
        raise ValueError("no such quantity")

"""A worker of ours in a process of its own, to be killed: it takes jobs of ``q`` and never ends them."""

import asyncio
import sys

from stockyard import App, Topology
from tests.interop.handlers import hang


async def main(url: str, prefix: str, lock_ms: str) -> None:
    """Run until killed."""
    topology = Topology("doomed")
    topology.queue("q", lock=int(lock_ms) / 1000)
    async with App(topology, redis=url, prefix=prefix) as app:
        await app.worker("q", hang).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

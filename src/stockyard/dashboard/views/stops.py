"""What is held: queues and keys that were halted, and keys whose failed job stops those behind it."""

from __future__ import annotations

import asyncio

from stockyard.dashboard.views.view import Facts, PageRequest, of_each

_CHANGES = 50
_KEYS = 100


async def halts(request: PageRequest) -> Facts:
    """Look at what is halted, by whom and why, and at who halted and resumed what."""
    current, changes = await asyncio.gather(request.app.halts(), request.app.halt_audit(_CHANGES))
    return {"halts": current, "changes": changes}


async def keys(request: PageRequest) -> Facts:
    """Look at the keys that have jobs, of all queues that declare an order of them, the parked ones first."""
    app = request.app
    names = [spec.name for spec in app.topology if spec.shards == 1 and spec.key_order is not None]
    pages, unread = await of_each(names, lambda name: app.queue(name).keys.list(count=_KEYS))
    found = [(name, each) for name, page in pages for each in page]
    return {
        "rows": sorted(found, key=lambda pair: (pair[1].state != "parked", -pair[1].length)),
        "names": names,
        "unread": unread,
        "most": _KEYS,
    }

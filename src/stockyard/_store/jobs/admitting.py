"""What a worker asks for whose jobs call an exchange: each starts within the limits of its call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._wire.options import limit_fields
from stockyard._wire.own_keys import limits_base, limits_index
from stockyard.errors import ConfigError
from stockyard.model.duration import milliseconds
from stockyard.model.limits import EGRESS, Limits
from stockyard.model.naming import Naming, hash_tag
from stockyard.model.options import JobOptions

_read = msgspec.json.Decoder().decode


def take_limits(
    limits: Limits, defaults: JobOptions, naming: Naming, queue: str, *, egress: str, queues: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what the script that takes needs of limits.

    Args:
        limits: those of the queue.
        defaults: options of its jobs; their use holds for jobs that say none, as those of Node.
        naming: how keys are spelled.
        queue: the queue.
        egress: the value of the scope ``"ip"`` of this process.
        queues: what a freeze of the limits holds, too. Defaults to nothing.

    Raises:
        ConfigError: on a cluster, the limits and the queue are in different slots.
    """
    base = limits_base(naming, limits.name)
    if naming.slots is not None and hash_tag(base) != hash_tag(naming.place(queue)):
        raise ConfigError(
            f"queue {queue!r} and its limits {limits.name!r} are in different slots of a cluster, and one script "
            "takes jobs and counts their calls: declare Topology(slots='one'), or take the limits in the handler"
        )
    return {
        "base": base,
        "name": limits.name,
        "index": limits_index(naming),
        "queues": list(queues),
        "source": limits.source,
        "all": [
            {"name": each.name, "kind": each.kind, "scope": list(each.scope), **each.rule()}
            for each in limits.limits
        ],
        "reserve": dict(limits.reserve),
        "slow": milliseconds(limits.slow_start, option="slow_start") * 1000,
        "trusts": limits.after_failover == "trust",
        "freeze_scope": limits.freeze_scope,
        "use": None if defaults.use is None else limit_fields(defaults.use),
        "values": {EGRESS: egress or "default"},
    }


async def admission_of(keyspace: QueueKeyspace, job_id: str) -> tuple[tuple[dict[str, Any], ...], str] | None:
    """Return what the last admission of a job is measured by, and the address that it was counted for; or None."""
    text = await keyspace.server.call("HGET", keyspace.keys.job(job_id), "limits")
    if text is None:
        return None
    stored = _read(text)
    # When the server was replaced is a name, and no number.
    views = (
        {name: each[name] if name == "replaced" else float(each[name]) for name in each}
        for each in stored["views"]
    )
    return tuple(views), stored["values"][EGRESS]


async def wake_worker(keyspace: QueueKeyspace) -> None:
    """Let one worker that waits take jobs now."""
    await keyspace.server.call("ZADD", keyspace.keys["marker"], 0, "0")

"""`stockyard queue`: what is declared, how many jobs are where, and what holds for all of them."""

from __future__ import annotations

from typing import Any

from cyclopts import App as Command

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_facts, show_json, show_table, span
from stockyard.cli.each_queue import complain_of, of_each
from stockyard.cli.options import AsJson
from stockyard.cli.queue_control import CONTROLS
from stockyard.cli.queue_versions import VERSIONS
from stockyard.cli.queue_view import VIEWS
from stockyard.model.backoff import Backoff
from stockyard.model.job import JobState
from stockyard.model.retention import Keep, KeepOption
from stockyard.model.sharding import shards_of
from stockyard.topology import QueueSpec

queue = Command(
    name="queue", help="Show the declared queues, watch and count their jobs, pause, limit, clean them."
)
for command in (*VIEWS, *VERSIONS, *CONTROLS):
    queue.command(command)


@queue.command(name="list")
def list_queues(*, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """List the declared queues; asks no server."""
    topology = connection.topology()
    if json:
        show_json([_declaration(spec) for spec in topology])
        return
    columns = ("queue", "concurrency", "attempts", "backoff", "priority", "rate", "description")
    rows = [
        (
            spec.name,
            spec.concurrency,
            spec.defaults.attempts,
            _backoff(spec.defaults.backoff),
            spec.defaults.priority or None,
            _rate(spec),
            spec.description,
        )
        for spec in topology
    ]
    show_table(columns, rows, right=("concurrency", "attempts", "priority"))


@queue.command
def show(name: str, /, *, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Show one queue's declaration, and how a Node service reaches it; asks no server.

    Args:
        name: the queue.
    """
    topology = connection.topology()
    declaration = _declaration(topology.spec(name))
    spec = topology.spec(name)
    naming = connection.settings().naming(topology.slots)
    if spec.shards == 1:
        declaration["node"] = naming.node(spec.name).constructor
        if json:
            show_json(declaration)
        else:
            show_facts(declaration)
        return
    shards = shards_of(spec.name, spec.shards, topology.slots)
    spellings = {shard.tag: naming.node(shard.queue).constructor for shard in shards}
    if json:
        show_json(declaration | {"node": spellings})
    else:
        show_facts(declaration | {f"shard {tag}": spelling for tag, spelling in spellings.items()})


@queue.command
async def counts(*names: str, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """Count the jobs of queues by state; the exit status is 1 when one cannot be counted.

    Args:
        names: the queues. Defaults to all.
    """
    async with connection.open() as app:
        queues = [app.queue(name) for name in names or app.topology.names]
        found, refused = await of_each(queues, lambda queue: queue.counts())
    counted = {each.name: {state.value: number for state, number in numbers.items()} for each, numbers in found}
    if json:
        show_json(counted)
        return complain_of(refused)
    states = [state.value for state in JobState if state is not JobState.UNKNOWN]
    rows = [(name, *(numbers[state] for state in states)) for name, numbers in counted.items()]
    show_table(("queue", *states), rows, right=states)
    return complain_of(refused)


def _declaration(spec: QueueSpec) -> dict[str, Any]:
    defaults = spec.defaults
    return {
        "name": spec.name,
        "description": spec.description or None,
        "concurrency": spec.concurrency,
        "attempts": defaults.attempts,
        "backoff": _backoff(defaults.backoff),
        "priority": defaults.priority or None,
        "timeout": None if defaults.timeout_ms is None else span(defaults.timeout_ms),
        "rate": _rate(spec),
        "shards": spec.shards if spec.shards > 1 else None,
        "version": defaults.version,
        "versions": ", ".join(map(str, spec.versions)) or None,
        "indexed": ", ".join(spec.indexed) or None,
        "expires_in": None if defaults.expires_in_ms is None else span(defaults.expires_in_ms),
        **_arranged(spec),
        "executor": spec.executor,
        "lock": span(spec.lock_ms),
        "max_stalled": spec.max_stalled,
        "keep_completed": _keep(defaults.remove_on_complete),
        "keep_failed": _keep(defaults.remove_on_fail),
        "high_priority": spec.high_priority,
        "critical": spec.critical,
        "handlers": ", ".join(spec.router.names) or None,
    }


def _arranged(spec: QueueSpec) -> dict[str, Any]:
    """Return what a queue asks for of the jobs that wait."""
    arrangement = spec.arrangement
    if arrangement is None:
        return {}
    shown: dict[str, Any] = {}
    if arrangement.coalesce is not None:
        coalesce = arrangement.coalesce
        shown["coalesce"] = f"{coalesce.mode} of {coalesce.field}" if coalesce.field else coalesce.mode
    if arrangement.max_length is not None:
        shown |= {"max_length": arrangement.max_length, "on_full": arrangement.on_full}
    if arrangement.aging_ms:
        shown["aging"] = span(arrangement.aging_ms)
    return shown


def _backoff(backoff: Backoff | None) -> str | None:
    if backoff is None:
        return None
    jitter = f" jitter {backoff.jitter:g}" if backoff.jitter else ""
    most = "" if backoff.maximum_ms is None else f" at most {span(backoff.maximum_ms)}"
    return f"{backoff.type} {span(backoff.delay_ms)}{most}{jitter}"


def _rate(spec: QueueSpec) -> str | None:
    return None if spec.rate is None else f"{spec.rate.max}/{span(spec.rate.duration_ms)}"


def _keep(keep: KeepOption | None) -> str:
    match keep:
        case None | False:
            return "for ever"
        case True | 0:
            return "not at all"
        case Keep(age=age, count=count):
            parts = [span(age * 1000)] if age is not None else []
            parts += [f"at most {count:,}"] if count is not None else []
            return ", ".join(parts) or "for ever"
        case _:
            return f"at most {keep:,}"

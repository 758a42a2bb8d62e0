"""The workers that a target means: made from declarations, or made by the target itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stockyard.app import App, owner_of
from stockyard.cli.connection import bound
from stockyard.cli.targets import find
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker
from stockyard.errors import ConfigError, UnknownQueue
from stockyard.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSelection:
    """What the command line says of the workers.

    Attributes:
        queues: only these; empty for all that have handlers.
        options: for the workers that are made here; see ``WorkerOptions``.
        redis_url, prefix: where they work; None leaves it to the target or the environment.
    """

    queues: Sequence[str] = ()
    options: WorkerOptions = field(default_factory=WorkerOptions)
    redis_url: str | None = None
    prefix: str | None = None


class WorkerSet:
    """Workers and the Apps that were made for them.

    Args:
        targets: MODULE:ATTR of an App, of a Topology, of a Worker or a list of them, or of a function without
            arguments that returns one of these.
        selection: what the command line says.

    Attributes:
        workers: all of them.
        apps: those that made the workers.

    Raises:
        ConfigError: a target is none of these, or there is nothing to work on.
    """

    def __init__(self, targets: Sequence[str], selection: WorkerSelection) -> None:
        self._selection = selection
        self._known: list[str] = []
        self._apps: list[App] = []
        self.workers: list[Worker] = []
        for target in targets:
            self.workers += self._workers(target, find(target))
        served = {worker.queue for worker in self.workers}
        self.apps = list(dict.fromkeys(map(owner_of, self.workers)))
        for name in selection.queues:
            if name not in served:
                raise UnknownQueue(name, self._known)
        if not self.workers:
            raise ConfigError(
                f"{', '.join(targets)}: no queue has handlers; register them with @queue.handler(name), and name "
                "the module that does so"
            )

    async def aclose(self) -> None:
        """Close the Apps."""
        for app in self._apps:
            await app.aclose()

    def _workers(self, target: str, found: Any) -> list[Worker]:
        match found:
            case App() | Topology():
                return self._made(bound(found, self._selection.redis_url, self._selection.prefix))
            case Worker():
                return self._ready_made(target, [found])
            case list() | tuple() if found and all(isinstance(each, Worker) for each in found):
                return self._ready_made(target, list(found))
            case _ if callable(found) and not isinstance(found, type):
                return self._workers(target, found())
        raise ConfigError(
            f"{target!r} is a {type(found).__name__}; expected an App, a Topology, a Worker or a list of them, "
            "or a function without arguments that returns one of these"
        )

    def _made(self, app: App) -> list[Worker]:
        self._apps.append(app)
        self._known += app.topology.names
        names = [
            spec.name
            for spec in app.topology
            if (spec.name in self._selection.queues if self._selection.queues else bool(spec.router))
        ]
        return [app.worker(name, **self._selection.options) for name in names]

    def _ready_made(self, target: str, workers: list[Worker]) -> list[Worker]:
        if self._selection.options:
            options = " and --".join(self._selection.options)
            raise ConfigError(f"{target!r} makes its own workers, so --{options} would be ignored; say it there")
        self._known += [worker.queue for worker in workers]
        return [each for each in workers if not self._selection.queues or each.queue in self._selection.queues]

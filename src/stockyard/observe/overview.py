"""Queues, servers, incidents and limits of exchanges of one topology at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from stockyard._store.inspecting import ServerFacts
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.health import LimitsHealth, QueueHealth

if TYPE_CHECKING:
    from stockyard.observe.metrics.exporter import ServerSnapshot


class Overview(NamedTuple):
    """What the server holds at one moment.

    Attributes:
        queues: snapshots of all queues, read in one round trip.
        servers: what it says of itself, or each primary of a cluster, as far as it answers.
        incidents: of the alerts.
        limits: those of exchanges that any program has used under the prefix.
        versions: queue and payload version -> jobs that have not ended; ``"unknown"`` are too many to look at.
    """

    queues: Sequence[QueueHealth]
    servers: Sequence[ServerFacts]
    incidents: Sequence[Incident]
    limits: Sequence[LimitsHealth] = ()
    versions: Mapping[tuple[str, str], int] = MappingProxyType({})

    def snapshot(self) -> ServerSnapshot:
        """Return what is exported as metrics: of the incidents those that fire."""
        from stockyard.observe.metrics.exporter import ServerSnapshot

        firing = [incident for incident in self.incidents if incident.status is Status.FIRING]
        alerts = [(each.rule, each.subject) for each in firing]
        return ServerSnapshot(self.queues, self.servers, alerts, self.versions)


def merged(seen: Sequence[Overview]) -> Overview:
    """Return the overview of several topologies on one server."""
    return Overview(
        [queue for each in seen for queue in each.queues],
        seen[0].servers,
        [incident for each in seen for incident in each.incidents],
        seen[0].limits,
        {labels: jobs for each in seen for labels, jobs in each.versions.items()},
    )

"""Reads all that is monitored: queues, servers, incidents, limits of exchanges; of one server in one round trip.

Where limits of exchanges are used, a second one reads these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stockyard._store.alerts import AlertKeyspace, texts_by_name
from stockyard._store.inspecting import ServerFacts, facts_of_info, read_primaries
from stockyard._store.jobs.reading import CLIENT_LIST, QueueFacts, fact_calls, facts_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits.facts import LimitsFacts, index_call, read_facts
from stockyard._store.net.server import Server
from stockyard.errors import ServerError
from stockyard.model.naming import Naming


class Overview(NamedTuple):
    """What is monitored.

    Attributes:
        queues: the queues.
        servers: their server, or every primary of their cluster.
        incidents: JSON text by name.
        limits: of each exchange whose limits were used.
        refused: why the incidents could not be read, or nothing.
    """

    queues: list[QueueFacts]
    servers: list[ServerFacts]
    incidents: dict[str, bytes]
    limits: list[LimitsFacts]
    refused: str = ""


async def read_overview(
    server: Server, keyspaces: Sequence[QueueKeyspace], alerts: AlertKeyspace, *, naming: Naming
) -> Overview:
    """Return an overview of these queues; what the user may not ask of server, incidents or limits is left out.

    Raises:
        ServerUnavailable, ReplyLost: the server does not answer.
        ServerRefused: the user may read none of the queues.
    """
    calls, also = fact_calls(keyspaces), [CLIENT_LIST, alerts.incidents_call, index_call(naming)]
    if server.address.kind == "cluster":
        *counted, incidents, index = await server.run_many(calls, *also)
        servers = await read_primaries(server)
    else:
        *counted, incidents, index, info = await server.run_many(calls, *also, ("INFO",))
        servers = [facts_of_info(str(server.address), info)]
    is_refused = isinstance(incidents, ServerError)
    return Overview(
        facts_of(keyspaces, counted),
        servers,
        {} if is_refused else texts_by_name(incidents),
        await read_facts(server, naming, index),
        str(incidents) if is_refused else "",
    )

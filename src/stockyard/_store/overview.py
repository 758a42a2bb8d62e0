"""Reads all that is monitored in one round trip: queues, server, incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stockyard._store.alerts import AlertKeyspace, texts_by_name
from stockyard._store.inspecting import ServerFacts, facts_of_info
from stockyard._store.jobs.reading import CLIENT_LIST, QueueFacts, fact_calls, facts_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.errors import ServerRefused


class Overview(NamedTuple):
    """Queues, their server, the incidents by name as JSON text, and why these could not be read, or nothing."""

    queues: list[QueueFacts]
    server: ServerFacts
    incidents: dict[str, bytes]
    refused: str = ""


async def read_overview(server: Server, keyspaces: Sequence[QueueKeyspace], alerts: AlertKeyspace) -> Overview:
    """Return an overview of these queues; what the user may not ask of the server or of incidents is left out.

    Raises:
        ServerUnavailable, ReplyLost: the server does not answer.
        ServerRefused: the user may read none of the queues.
    """
    replies = await server.run_many(fact_calls(keyspaces), CLIENT_LIST, ("INFO",), alerts.incidents_call)
    *counted, info, incidents = replies
    is_refused = isinstance(incidents, ServerRefused)
    return Overview(
        facts_of(keyspaces, counted),
        facts_of_info(str(server.address), info),
        {} if is_refused else texts_by_name(incidents),
        str(incidents) if is_refused else "",
    )

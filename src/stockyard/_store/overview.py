"""Reads all that is watched in one round trip: queues, server, incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stockyard._store.inspecting import ServerFacts, facts_of_info
from stockyard._store.link import QueueLink
from stockyard._store.reading import CLIENT_LIST, QueueFacts, fact_calls, facts_of
from stockyard._store.server import Server
from stockyard._store.watching import AlertStore, texts_by_name
from stockyard.errors import ServerRefused


class Overview(NamedTuple):
    """Queues, their server, and the incidents by name, as JSON text."""

    queues: list[QueueFacts]
    server: ServerFacts
    incidents: dict[str, bytes]


async def read_overview(server: Server, links: Sequence[QueueLink], alerts: AlertStore) -> Overview:
    """Return an overview of these queues; what the user may not ask of the server or of incidents is left out.

    Raises:
        ServerUnavailable, ReplyLost: the server does not answer.
        ServerRefused: a key of a queue is not what the protocol says, or the user may not read it.
    """
    replies = await server.run_many(fact_calls(links), CLIENT_LIST, ("INFO",), alerts.incidents_call)
    *counted, info, incidents = replies
    known = {} if isinstance(incidents, ServerRefused) else texts_by_name(incidents)
    return Overview(facts_of(links, counted), facts_of_info(str(server.address), info), known)

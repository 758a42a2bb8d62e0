"""Renews leases of running jobs, in a worker or in a process that does nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stockyard._aio.direct import run_to_end
from stockyard._store.ids import id_of
from stockyard._store.net.blocking_server import blocking_server_at
from stockyard._store.net.server_calls import ServerCalls
from stockyard._wire.keys import QueueKeys
from stockyard.config import Address
from stockyard.model.naming import Naming

if TYPE_CHECKING:
    from stockyard._store.composed_script import ComposedScript
    from stockyard._store.scripts import Script


async def renew(
    server: ServerCalls,
    keys: QueueKeys,
    script: Script | ComposedScript,
    leases: Sequence[tuple[str, str, int]],
    lock_ms: int,
) -> list[str]:
    """Renew leases given as (job id, token, start number of the job).

    One that the server lost while nobody else took the job is restored; the ids of all that are not the
    caller's any more are returned.
    """
    # JSON, as the process that renews leases imports no msgspec. An id may be no UTF-8: the server does not mind.
    held = json.dumps(leases, ensure_ascii=False).encode(errors="surrogateescape")
    lost = await server.run(script, [keys[name] for name in script.keys], keys.base, lock_ms, held)
    return [id_of(each) for each in lost]


class Renewals:
    """Renews leases in the calling thread, over a connection that blocks.

    Args:
        address: where the server is.
        naming: how keys are spelled.
        script: that of ``leasing.renewing_script``.
        call_timeout: seconds until a call fails.
    """

    def __init__(self, address: Address, naming: Naming, script: ComposedScript, *, call_timeout: float) -> None:
        self._server = blocking_server_at(address, call_timeout=call_timeout)
        self._naming = naming
        self._script = script
        self._keys: dict[str, QueueKeys] = {}

    def renew(self, queue: str, leases: Sequence[tuple[str, str, int]], lock_ms: int) -> list[str]:
        """Renew leases of one queue; see ``renew``.

        Raises:
            ServerError: the server did not do it.
        """
        keys = self._keys.get(queue)
        if keys is None:
            keys = self._keys[queue] = QueueKeys(self._naming, queue)
        return run_to_end(renew(self._server, keys, self._script, leases, lock_ms))

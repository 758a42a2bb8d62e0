"""Checks the server before a worker takes jobs from it; a critical queue may refuse it."""

from __future__ import annotations

import asyncio
import logging
import time

from stockyard._aio.per_loop import PerLoop
from stockyard._store.net.server import Server
from stockyard.errors import UnsafeServer
from stockyard.model.naming import Naming
from stockyard.observe.doctor.checks import ESSENTIAL, EVICTION, check_server
from stockyard.observe.doctor.finding import Finding, Severity
from stockyard.topology import QueueSpec

_log = logging.getLogger(__name__)
_FRESH_SECONDS = 5.0
_warned: set[str] = set()


class Preflight:
    """The server of one App; workers that start together share one look at it.

    Args:
        server: the server.
        naming: how keys are spelled.
        trusts: what the server hides is taken to be as it should.
    """

    def __init__(self, server: Server, *, naming: Naming, trusts: bool) -> None:
        self._server = server
        self._naming = naming
        self._trusts = trusts
        self._looks = PerLoop(_Look)

    async def check(self, spec: QueueSpec, *, allow_eviction: bool) -> bool:
        """Return if a worker of this queue may start, and whether the server evicts keys that expire.

        What is dangerous is logged once a process and server.

        Args:
            spec: the queue.
            allow_eviction: the queue may lose jobs and run them twice.

        Raises:
            UnsafeServer: the queue is critical, and the server evicts keys or hides what must be known.
            ServerUnavailable, ReplyLost: it does not answer.
        """
        bad = [finding for finding in await self._findings() if finding.severity is not Severity.OK]
        for each in bad:
            if spec.critical and each.check in ESSENTIAL and (each.is_hidden or not allow_eviction):
                raise self._refusal(spec, each)
        self._warn([each for each in bad if each.severity is Severity.DANGER or each.check in ESSENTIAL])
        return any(each.check == EVICTION and not each.is_hidden for each in bad)

    async def _findings(self) -> list[Finding]:
        look = self._looks.get()
        async with look.lock:
            if time.monotonic() > look.fresh_until:
                look.findings = await check_server(self._server, naming=self._naming, trusts=self._trusts)
                look.fresh_until = time.monotonic() + _FRESH_SECONDS
        return look.findings

    def _refusal(self, spec: QueueSpec, found: Finding) -> UnsafeServer:
        remedy = found.remedy
        if not found.is_hidden:
            remedy += "; or accept the loss with allow_eviction=True (stockyard worker --allow-eviction)"
        return UnsafeServer(
            spec.name, str(self._server.address), cause=found.cause, danger=found.danger, remedy=remedy
        )

    def _warn(self, findings: list[Finding]) -> None:
        server = str(self._server.address)
        if not findings or server in _warned:
            return
        _warned.add(server)
        lines = "".join(
            f"\n  - {finding.cause}: {finding.danger}. Remedy: {finding.remedy}" for finding in findings
        )
        _log.warning("the server at %s is not safe for queues (see `stockyard doctor`):%s", server, lines)


class _Look:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.findings: list[Finding] = []
        self.fresh_until = 0.0

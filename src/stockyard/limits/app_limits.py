"""All limits of one App, and those that other programs count on its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stockyard._aio.portal import Portal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits import holding, limiting
from stockyard._store.limits.limiting import LimitsKeyspace, LimitsLook
from stockyard._store.net.server import Server
from stockyard._suggestion import suggestion
from stockyard.errors import InvalidOption
from stockyard.limits.open_limits import OpenLimits, freezable, status_of
from stockyard.limits.stats import LimitsStats, LimitsStatus
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.limits import Limits
from stockyard.model.naming import Naming
from stockyard.topology import Topology


class AppLimits:
    """The limits of one App.

    Args:
        server: the server.
        naming: how keys are spelled.
        topology: the queues; those that declare limits are held by their freezes.
        egress: the value of the scope ``"ip"`` of this process.
        portal: runs blocking calls.
    """

    def __init__(self, server: Server, naming: Naming, *, topology: Topology, egress: str, portal: Portal) -> None:
        self._server = server
        self._naming = naming
        self._topology = topology
        self._egress = egress
        self._portal = portal
        self._open: dict[str, OpenLimits] = {}

    def open(self, limits: Limits) -> OpenLimits:
        """Return declared limits on the server; asked again, the same.

        Raises:
            InvalidOption: they are none, or others of their name were declared otherwise.
            UnknownQueue: the topology does not declare one of their queues.
        """
        checks.instance("limits", limits, Limits)
        found = self._open.get(limits.name)
        if found is None:
            names = [self._topology.spec(name).name for name in limits.queues]
            names += [spec.name for spec in self._topology if spec.limits == limits and spec.name not in names]
            made = OpenLimits(
                limits,
                keyspace=self._keyspace(limits.name),
                queues=self._queues(names),
                egress=self._egress,
                portal=self._portal,
            )
            # One step: another thread may have opened them meanwhile.
            found = self._open.setdefault(limits.name, made)
        if found.declared != limits:
            raise InvalidOption(f"limits {limits.name!r} were declared otherwise before; declare them once")
        return found

    def stats(self) -> dict[str, LimitsStats]:
        """Return what this process did with each of the limits, by name."""
        return {name: limits.stats() for name, limits in list(self._open.items())}

    async def names(self) -> list[str]:
        """Return the names of all limits that any program has used under this prefix, and that this one declares.

        Raises:
            ServerError: the server did not answer.
        """
        return sorted({*await limiting.names(self._server, self._naming), *self._declared()})

    async def status(self, name: str) -> LimitsStatus:
        """Return the limits of a name as all processes see them.

        Raises:
            InvalidOption: no program has used limits of that name, and this one declares none.
            ServerError: the server did not answer.
        """
        look = await self._look(name)
        return LimitsStatus(name, (), {}, self._declared()[name].source) if look is None else status_of(name, look)

    async def freeze(self, name: str, duration: Duration, *, scope: Mapping[str, str] | None = None) -> float:
        """Hold the calls under limits that this program need not declare; see ``OpenLimits.freeze``.

        Those that it declares may be frozen before the first call.

        Raises:
            InvalidOption: no program has used limits of that name, and this one declares none; or an argument is
                wrong.
            ServerError: the server did not answer.
        """
        look = await self._look(name)
        if look is None:
            return await self.open(self._declared()[name]).freeze(duration, scope=scope)
        frozen, held = freezable(name, look.freeze_scope, scope), checks.positive_ms("duration", duration)
        return await holding.freeze(self._keyspace(name), self._queues(look.queues), frozen, held) / 1000

    async def thaw(self, name: str) -> int:
        """End all freezes of limits that this program need not declare; return how many there were.

        Raises:
            InvalidOption: no program has used limits of that name, and this one declares none.
            ServerError: the server did not answer.
        """
        look = await self._look(name)
        if look is None:
            return 0
        return await holding.thaw(self._keyspace(name), self._queues(look.queues), list(look.frozen))

    def _declared(self) -> dict[str, Limits]:
        """Return the limits that this program declares, by name."""
        of_queues = {spec.limits.name: spec.limits for spec in self._topology if spec.limits is not None}
        return of_queues | {name: limits.declared for name, limits in list(self._open.items())}

    async def _look(self, name: str) -> LimitsLook | None:
        """Return limits as the server has them; None of those that are declared, and that nobody has used."""
        look = await limiting.look(self._keyspace(checks.name("the name of limits", name)))
        if look is None and name not in self._declared():
            known = await self.names()
            listed = suggestion(name, known) if known else "; none were ever used here, and none are declared"
            raise InvalidOption(f"no limits {name!r}{listed}")
        return look

    def _keyspace(self, name: str) -> LimitsKeyspace:
        return LimitsKeyspace(self._server, self._naming, name)

    def _queues(self, names: Sequence[str]) -> list[QueueKeyspace]:
        return [QueueKeyspace(self._server, self._naming, name) for name in names]

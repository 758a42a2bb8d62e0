"""The book of alerts that all processes share: incidents, silences, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from stockyard._store.watching import AlertStore
from stockyard.model.clock import Clock
from stockyard.model.duration import Duration, milliseconds
from stockyard.observe.incidents import Incident, Silence

_incident = msgspec.json.Decoder(Incident).decode
_silence = msgspec.json.Decoder(Silence).decode
_encode = msgspec.json.Encoder().encode


class AlertBook:
    """The alerts of one prefix on one server; made by ``App.alerts``.

    Args:
        store: keeps it.
        clock: gives the time that silences run from.
    """

    def __init__(self, store: AlertStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def incidents(self) -> list[Incident]:
        """Return what is pending, firing or resolved and not told yet, the oldest first."""
        return incidents_of(await self._store.incidents())

    async def history(self, count: int = 100) -> list[Incident]:
        """Return what was told, the newest first; the latest 1000 are kept."""
        return [_incident(text) for text in await self._store.history(count)]

    async def silences(self) -> list[Silence]:
        """Return the silences that hold now."""
        await self._store.learn_time()
        found = [_silence(text) for text in (await self._store.silences()).values()]
        return [each for each in found if self._clock() < each.until]

    async def silence(
        self, rule: str | None = None, queue: str | None = None, *, duration: Duration, reason: str = ""
    ) -> Silence:
        """Tell nobody of a rule, a queue, or both, for a time; what still fires afterwards is told then.

        Args:
            rule: name of the rule. Defaults to all.
            queue: name of the queue, or ``server``. Defaults to all.
            duration: for how long.
            reason: one line for people.

        Raises:
            InvalidOption: the duration is none.
        """
        await self._store.learn_time()
        until = self._clock() + milliseconds(duration, option="duration")
        silence = Silence(rule, queue, until, reason)
        await self._store.silence(silence.name, _encode(silence))
        return silence

    async def unsilence(self, rule: str | None = None, queue: str | None = None) -> bool:
        """End a silence; say whether there was one."""
        return bool(await self._store.unsilence(Silence(rule, queue, 0).name))

    async def lead(self, token: str, ttl_ms: int) -> tuple[dict[str, Incident], list[Silence]] | None:
        """Become or stay the one who watches; return what is known by name, and the silences, or None."""
        await self._store.learn_time()
        found = await self._store.lead(token, ttl_ms)
        if found is None:
            return None
        silences = {name: _silence(text) for name, text in found[1].items()}
        over = [name for name, each in silences.items() if self._clock() >= each.until]
        await self._store.unsilence(*over)
        return (
            {name: _incident(text) for name, text in found[0].items()},
            [each for name, each in silences.items() if name not in over],
        )

    async def record(self, token: str, incidents: Mapping[str, Incident], history: Sequence[Incident]) -> bool:
        """Store what was found and what was told; False when another watches by now."""
        return await self._store.record(token, _encoded(incidents), [_encode(each) for each in history])

    async def resign(self, token: str) -> None:
        """Let another watch at once."""
        await self._store.resign(token)


def incidents_of(texts: Mapping[str, bytes]) -> list[Incident]:
    """Read incidents as the store keeps them; the oldest come first."""
    return sorted((_incident(text) for text in texts.values()), key=lambda each: (each.since, each.name))


def _encoded(incidents: Mapping[str, Incident]) -> dict[str, bytes]:
    return {name: _encode(each) for name, each in incidents.items()}

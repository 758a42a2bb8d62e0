"""The book of alerts that all processes share: incidents, silences, history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from stockyard._store.watching import AlertStore
from stockyard.model import checks
from stockyard.model.clock import Clock
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.fixed import Fixed
from stockyard.model.printable import LATEST, printable
from stockyard.observe.alerts.incidents import Incident, Silence

_incident = msgspec.json.Decoder(Incident).decode
_silence = msgspec.json.Decoder(Silence).decode
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)
_MOST_SAID = 100
_said: set[str] = set()
T = TypeVar("T")


class AlertBook(Fixed):
    """The alerts of one prefix on one server; made by ``App.alerts``.

    Args:
        store: keeps it.
        clock: gives the time that silences run from.
    """

    def __init__(self, store: AlertStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._is_made = True

    async def incidents(self) -> list[Incident]:
        """Return what is pending, firing, or resolved and not notified yet, the oldest first."""
        return incidents_of(await self._store.incidents())

    async def history(self, count: int = 100) -> list[Incident]:
        """Return what was notified, the newest first; the latest 1000 are kept."""
        found = (_read(_incident, text, "an entry of the history") for text in await self._store.history(count))
        return [each for each in found if each is not None and not _why_odd(each)]

    async def silences(self) -> list[Silence]:
        """Return the silences that hold now."""
        await self._store.learn_time()
        found = _silences_of(await self._store.silences())
        return [each for each in found.values() if self._clock() < each.until]

    async def silence(
        self, rule: str | None = None, queue: str | None = None, *, duration: Duration, reason: str = ""
    ) -> Silence:
        """Send no notification of a rule, a queue, or both, for a time; what still fires afterwards is sent then.

        Args:
            rule: name of the rule. Defaults to all.
            queue: name of the queue, or ``server``. Defaults to all.
            duration: for how long.
            reason: one line for people.

        Raises:
            InvalidOption: the duration is none, or a text has a lone surrogate.
        """
        for what, text in (("rule", rule), ("queue", queue), ("reason", reason)):
            if text is not None:
                checks.line(what, text)
        await self._store.learn_time()
        until = self._clock() + milliseconds(duration, option="duration")
        silence = Silence(rule, queue, until, reason)
        await self._store.silence(silence.name, _encode(silence))
        return silence

    async def unsilence(self, rule: str | None = None, queue: str | None = None) -> bool:
        """End a silence; say whether there was one."""
        return bool(await self._store.unsilence(Silence(rule, queue, 0).name))

    async def lead(self, token: str, ttl_ms: int) -> tuple[dict[str, Incident], list[Silence]] | None:
        """Become or stay the one who watches; return what is known by name, and the silences, or None.

        What cannot be read is logged and left out.
        """
        await self._store.learn_time()
        found = await self._store.lead(token, ttl_ms)
        if found is None:
            return None
        for key in found.broken:
            note_unreadable(f"key {key!r}", "it is no hash: another program has written over it; delete it")
        silences = _silences_of(found.silences)
        over = [name for name, each in silences.items() if self._clock() >= each.until]
        await self._store.unsilence(*over)
        return (
            {each.name: each for each in incidents_of(found.incidents)},
            [each for name, each in silences.items() if name not in over],
        )

    async def record(self, token: str, incidents: Mapping[str, Incident], history: Sequence[Incident]) -> bool:
        """Store incidents and notifications; False when another process watches by now."""
        return await self._store.record(token, _encoded(incidents), [_encode(each) for each in history])

    async def resign(self, token: str) -> None:
        """Let another watch at once."""
        await self._store.resign(token)


def incidents_of(texts: Mapping[str, bytes]) -> list[Incident]:
    """Read incidents as the store keeps them, the oldest first; one that cannot be read is logged and left out."""
    found = []
    for name, text in texts.items():
        incident = _read(_incident, text, f"incident {name!r}")
        if incident is None:
            continue
        if why := _why_odd(incident, name):
            note_unreadable(f"incident {name!r}", why)
        else:
            found.append(incident)
    return sorted(found, key=lambda each: (each.since, each.name))


def _silences_of(texts: Mapping[str, bytes]) -> dict[str, Silence]:
    found = {name: _read(_silence, text, f"silence {name!r}") for name, text in texts.items()}
    return {name: each for name, each in found.items() if each is not None}


def _read(decode: Callable[[bytes], T], text: bytes, what: str) -> T | None:
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        note_unreadable(what, error)
        return None


def _why_odd(incident: Incident, name: str | None = None) -> str:
    if name is not None and name != incident.name:
        return f"it is the record of {incident.name!r}"
    if not all(0 <= moment <= LATEST for moment in (incident.since, incident.at)):
        return "its times are none"
    return ""


def note_unreadable(what: str, why: object) -> None:
    """Log what of the alerts is left out, once a process, not at every look."""
    said = printable(f"alerts: {what} cannot be read and is left out: {why}")
    if said not in _said and len(_said) < _MOST_SAID:
        _said.add(said)
        _log.warning("%s", said)


def _encoded(incidents: Mapping[str, Incident]) -> dict[str, bytes]:
    return {name: _encode(each) for name, each in incidents.items()}

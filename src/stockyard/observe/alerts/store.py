"""The alerts that all processes share, as values: incidents, silences, history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from stockyard._store import alerts
from stockyard._store.alerts import AlertKeyspace
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
_MAX_LOGGED = 100
_logged: set[str] = set()
T = TypeVar("T")


class AlertStore(Fixed):
    """The alerts of one prefix on one server; made by ``App.alerts``.

    Args:
        keyspace: where they are.
        clock: gives the time that silences run from.
    """

    def __init__(self, keyspace: AlertKeyspace, *, clock: Clock) -> None:
        self._keyspace = keyspace
        self._clock = clock
        self._is_made = True

    async def incidents(self) -> list[Incident]:
        """Return what is pending, firing, or resolved and not notified yet, the oldest first."""
        return incidents_of(await alerts.read_incidents(self._keyspace))

    async def history(self, count: int = 100) -> list[Incident]:
        """Return what was notified, the newest first; the latest 1000 are kept."""
        texts = await alerts.read_history(self._keyspace, count)
        incidents = (_read(_incident, text, "an entry of the history") for text in texts)
        return [incident for incident in incidents if incident is not None and not _why_odd(incident)]

    async def silences(self) -> list[Silence]:
        """Return the silences that hold now."""
        await self._learn_time()
        silences = _silences_of(await alerts.read_silences(self._keyspace))
        return [silence for silence in silences.values() if self._clock() < silence.until]

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
            InvalidOption: the duration is none, a name is empty, or a text has a lone surrogate.
        """
        for what, text in (("rule", rule), ("queue", queue)):
            if text is not None:
                checks.text(what, text)
        checks.line("reason", reason)
        await self._learn_time()
        until = self._clock() + milliseconds(duration, option="duration")
        silence = Silence(rule, queue, until, reason)
        await alerts.silence(self._keyspace, silence.name, _encode(silence))
        return silence

    async def unsilence(self, rule: str | None = None, queue: str | None = None) -> bool:
        """End a silence; say whether there was one."""
        return bool(await alerts.unsilence(self._keyspace, Silence(rule, queue, 0).name))

    async def lead(self, token: str, ttl_ms: int) -> tuple[dict[str, Incident], list[Silence]] | None:
        """Become or stay the leader; return incidents by name and silences; None if another leads.

        What cannot be read is logged and left out.
        """
        await self._learn_time()
        stored = await alerts.lead(self._keyspace, token, ttl_ms)
        if stored is None:
            return None
        for key in stored.broken:
            note_unreadable(f"key {key!r}", "it is no hash: another program has written over it; delete it")
        silences = _silences_of(stored.silences)
        over = [name for name, silence in silences.items() if self._clock() >= silence.until]
        await alerts.unsilence(self._keyspace, *over)
        return (
            {incident.name: incident for incident in incidents_of(stored.incidents)},
            [silence for name, silence in silences.items() if name not in over],
        )

    async def record(self, token: str, incidents: Mapping[str, Incident], history: Sequence[Incident]) -> bool:
        """Store incidents and notifications; False when another process leads by now."""
        texts = {name: _encode(incident) for name, incident in incidents.items()}
        return await alerts.record(self._keyspace, token, texts, [_encode(incident) for incident in history])

    async def resign(self, token: str) -> None:
        """Let another process lead at once."""
        await alerts.resign(self._keyspace, token)

    async def _learn_time(self) -> None:
        if not self._keyspace.server.clock.is_known:
            await self._keyspace.server.learn_time()


def incidents_of(texts: Mapping[str, bytes]) -> list[Incident]:
    """Read incidents as the store keeps them, the oldest first; one that cannot be read is logged and left out."""
    incidents = []
    for name, text in texts.items():
        incident = _read(_incident, text, f"incident {name!r}")
        if incident is None:
            continue
        if why := _why_odd(incident, name):
            note_unreadable(f"incident {name!r}", why)
        else:
            incidents.append(incident)
    return sorted(incidents, key=lambda incident: (incident.since, incident.name))


def _silences_of(texts: Mapping[str, bytes]) -> dict[str, Silence]:
    silences = {name: _read(_silence, text, f"silence {name!r}") for name, text in texts.items()}
    return {name: silence for name, silence in silences.items() if silence is not None}


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
    text = printable(f"alerts: {what} cannot be read and is left out: {why}")
    if text not in _logged and len(_logged) < _MAX_LOGGED:
        _logged.add(text)
        _log.warning("%s", text)

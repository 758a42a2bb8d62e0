"""Silences alerts for people: a rule or a queue that does not exist is refused, as it would silence nothing."""

from __future__ import annotations

from stockyard._suggestion import suggestion
from stockyard.errors import InvalidOption
from stockyard.model.duration import Duration
from stockyard.observe.alerts.default_rules import Thresholds, every_rule
from stockyard.observe.alerts.incidents import Silence
from stockyard.observe.alerts.rules import SERVER
from stockyard.observe.alerts.store import AlertStore
from stockyard.topology import Topology


async def silence_existing(
    alerts: AlertStore,
    topology: Topology,
    rule: str | None,
    queue: str | None,
    *,
    duration: Duration,
    reason: str = "",
) -> Silence:
    """Silence a rule, a queue, or both, for a time; see ``AlertStore.silence``.

    Args:
        alerts: where the silence is kept.
        topology: its queues can be silenced.
        rule: name of a rule, of this package or of an alert that was seen, or None for all.
        queue: name of a queue, ``server``, or the subject of an alert that was seen, or None for all.
        duration: for how long.
        reason: one line for people. Defaults to none.

    Raises:
        InvalidOption: there is no such rule, or the duration is none.
        UnknownQueue: there is no such queue.
    """
    # A program may have rules of its own, of which nothing is known here but the alerts that they raised.
    seen = [*await alerts.incidents(), *await alerts.history()]
    rules = [each.name for each in every_rule(topology, Thresholds())] + [each.rule for each in seen]
    if rule is not None and rule not in rules:
        raise InvalidOption(f"no rule is called {rule!r}{suggestion(rule, dict.fromkeys(rules))}")
    if queue not in (None, SERVER, *(each.subject for each in seen)):
        topology.spec(str(queue))
    return await alerts.silence(rule, queue, duration=duration, reason=reason)

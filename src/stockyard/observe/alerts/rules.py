"""Rules on snapshots: which queue is in trouble, and what to do. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from stockyard._store.inspecting import ServerFacts
from stockyard.model.printable import printable
from stockyard.observe.health import LimitsHealth, QueueHealth

SERVER = "server"
"""What an alert names in place of a queue when it is about the server."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule.

    Attributes:
        name: of the rule.
        measure: what is compared.
        threshold: the alert holds while the measure is greater.
        action: what to do about it.
        unit: of the measure, for the message.
        applies: which queues it is for. Defaults to all.
        for_ms: how long it must hold before it fires. Defaults to 0.
        detail: says more of one that holds, such as which job it is. Defaults to nothing.
        promql: the measure as Prometheus computes it, by ``queue``. Defaults to nothing: only we watch it.
    """

    name: str
    measure: Callable[[QueueHealth], float]
    threshold: float
    action: str
    unit: str = ""
    applies: Callable[[str], bool] = field(default=lambda _name: True)
    for_ms: int = 0
    detail: Callable[[QueueHealth], str] = field(default=lambda _health: "")
    promql: str = ""


@dataclass(frozen=True, slots=True)
class ServerRule:
    """One rule on the server as a whole: as ``AlertRule``, with a ``measure`` of the server's facts."""

    name: str
    measure: Callable[[ServerFacts], float]
    threshold: float
    action: str
    unit: str = ""
    for_ms: int = 0
    promql: str = ""


@dataclass(frozen=True, slots=True)
class LimitsRule:
    """One rule on limits of exchanges: as ``AlertRule``, on their health; its ``promql`` is by ``limits``."""

    name: str
    measure: Callable[[LimitsHealth], float]
    threshold: float
    action: str
    unit: str = ""
    for_ms: int = 0
    detail: Callable[[LimitsHealth], str] = field(default=lambda _health: "")
    promql: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that holds for a queue, the server, or limits of an exchange.

    Attributes:
        rule: name of the rule.
        queue: name of the queue or of the limits, or ``server``.
        value: the measure.
        threshold: what it exceeds.
        action: what to do.
        message: all of that in one sentence.
    """

    rule: str
    queue: str
    value: float
    threshold: float
    action: str
    message: str


Rule = AlertRule | ServerRule | LimitsRule


def evaluate_alerts(
    rules: Iterable[Rule],
    snapshots: Iterable[QueueHealth],
    servers: Sequence[ServerFacts] = (),
    limits: Sequence[LimitsHealth] = (),
) -> list[Alert]:
    """Return the alerts that hold on these snapshots, in the order of the rules.

    Args:
        rules: of queues, of the server, and of limits.
        snapshots: of the queues.
        servers: what the server says of itself, or each primary of a cluster: the worst one counts. Defaults to
            none: then no rule of the server holds.
        limits: snapshots of limits of exchanges. Defaults to none.
    """
    seen = list(snapshots)
    alerts = []
    for rule in rules:
        if isinstance(rule, AlertRule):
            alerts += [
                _alert(rule, health.name, rule.measure(health), rule.detail(health))
                for health in seen
                if rule.applies(health.name) and rule.measure(health) > rule.threshold
            ]
        elif isinstance(rule, LimitsRule):
            alerts += [
                _alert(rule, health.name, rule.measure(health), rule.detail(health))
                for health in limits
                if rule.measure(health) > rule.threshold
            ]
        elif servers:
            worst = max(servers, key=rule.measure)
            if rule.measure(worst) > rule.threshold:
                detail = f"node {worst.node}" if worst.node else ""
                alerts.append(_alert(rule, SERVER, rule.measure(worst), detail))
    return alerts


def _alert(rule: Rule, subject: str, value: float, detail: str = "") -> Alert:
    measured = f"{rule.name} is {value:g}{rule.unit}, more than {rule.threshold:g}{rule.unit}"
    message = f"{subject}: {measured}{f' ({detail})' if detail else ''}: {rule.action}"
    return Alert(rule.name, subject, value, rule.threshold, rule.action, printable(message))

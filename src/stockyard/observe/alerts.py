"""Rules on snapshots: which queue is in trouble, and what to do. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stockyard.observe.health import QueueHealth


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
    """

    name: str
    measure: Callable[[QueueHealth], float]
    threshold: float
    action: str
    unit: str = ""
    applies: Callable[[str], bool] = field(default=lambda _name: True)


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that holds for a queue.

    Attributes:
        rule: name of the rule.
        queue: name of the queue.
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


def evaluate(rules: Iterable[AlertRule], snapshots: Iterable[QueueHealth]) -> list[Alert]:
    """Return the alerts that hold on these snapshots, in the order of the rules."""
    seen = list(snapshots)
    return [
        _alert(rule, health)
        for rule in rules
        for health in seen
        if rule.applies(health.name) and rule.measure(health) > rule.threshold
    ]


def _alert(rule: AlertRule, health: QueueHealth) -> Alert:
    value = rule.measure(health)
    measured = f"{rule.name} is {value:g}{rule.unit}, more than {rule.threshold:g}{rule.unit}"
    said = f"{health.name}: {measured}: {rule.action}"
    return Alert(rule.name, health.name, value, rule.threshold, rule.action, said)

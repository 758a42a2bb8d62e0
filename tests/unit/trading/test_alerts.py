"""The three alerts hold above their thresholds and not at them."""

import pytest

from stockyard import InvalidOption, QueueHealth
from stockyard.alerts import evaluate_alerts
from stockyard.trading import ALERT_RULES, alert_rules

HIGH, LOW = "portfolio:high_priority", "portfolio:low_priority"


def health(name: str, *, waiting: int = 0, failed: int = 0, longest_active: float = 0.0) -> QueueHealth:
    return QueueHealth(
        name, waiting=waiting, active=0, completed=0, failed=failed, delayed=0, longest_active=longest_active
    )


def test_nothing_holds_at_the_thresholds() -> None:
    assert not evaluate_alerts(ALERT_RULES, [health(HIGH, waiting=100, failed=50, longest_active=300.0)])


def test_each_says_what_to_do() -> None:
    alerts = evaluate_alerts(ALERT_RULES, [health(HIGH, waiting=101, failed=51, longest_active=300.5)])
    assert [(each.rule, each.action) for each in alerts] == [
        ("waiting", "scale workers"),
        ("failed", "investigate errors"),
        ("longest active", "look for a dead worker"),
    ]


def test_a_backlog_is_fine_in_a_queue_that_nobody_waits_for() -> None:
    assert not evaluate_alerts(ALERT_RULES, [health(LOW, waiting=10_000)])


def test_thresholds_can_be_chosen() -> None:
    rules = alert_rules(waiting=5, failed=0, active="1s")
    alerts = evaluate_alerts(rules, [health(HIGH, waiting=6), health(LOW, failed=1, longest_active=2.0)])
    assert [(each.rule, each.queue) for each in alerts] == [
        ("waiting", HIGH),
        ("failed", LOW),
        ("longest active", LOW),
    ]
    with pytest.raises(InvalidOption, match="active must be a duration"):
        alert_rules(active="soon")

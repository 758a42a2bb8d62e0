"""Rules on snapshots."""

from stockyard import QueueHealth
from stockyard.alerts import Alert, AlertRule, evaluate_alerts

BACKLOG = AlertRule(
    "waiting", lambda health: health.waiting, 100, "scale workers", applies=lambda name: name.endswith("high")
)
STUCK = AlertRule("active", lambda health: health.longest_active, 300, "look for a dead worker", unit=" s")


def health(name: str = "a:high", *, waiting: int = 0, longest_active: float = 0) -> QueueHealth:
    return QueueHealth(name, waiting, 0, 0, 0, 0, longest_active=longest_active)


def test_an_alert_holds_above_its_threshold_and_not_on_it() -> None:
    assert evaluate_alerts([BACKLOG], [health(waiting=100)]) == []
    assert evaluate_alerts([BACKLOG], [health(waiting=101)]) == [
        Alert(
            "waiting", "a:high", 101, 100, "scale workers", "a:high: waiting is 101, more than 100: scale workers"
        )
    ]


def test_a_rule_holds_only_for_its_queues() -> None:
    assert evaluate_alerts([BACKLOG], [health("a:low", waiting=1000)]) == []


def test_rules_keep_their_order_and_measures_their_unit() -> None:
    seen = (each for each in [health(waiting=200, longest_active=301), health("b", longest_active=400.5)])
    alerts = evaluate_alerts([STUCK, BACKLOG], seen)
    assert [(each.rule, each.queue) for each in alerts] == [
        ("active", "a:high"),
        ("active", "b"),
        ("waiting", "a:high"),
    ]
    assert alerts[1].message == "b: active is 400.5 s, more than 300 s: look for a dead worker"


def test_nothing_gives_nothing() -> None:
    assert evaluate_alerts([], [health()]) == evaluate_alerts([BACKLOG], []) == []

"""The rules as a topology has them."""

from typing import Any

from stockyard import QueueHealth, Topology
from stockyard._store.inspecting import facts_of_info
from stockyard.alerts import evaluate_alerts
from stockyard.observe.alerts.default_rules import Thresholds, every_rule
from stockyard.observe.health import LimitsHealth

desk = Topology("desk")
desk.queue("fills")
RULES = every_rule(desk, Thresholds(active="1m", schedule_late="5m"))


def test_a_name_with_a_quote_is_quoted_for_prometheus() -> None:
    odd = Topology("odd")
    odd.queue('a"b.c', high_priority=True)
    assert r'queue=~"a\"b\\.c"' in every_rule(odd, Thresholds())[0].promql


def notified(**health: Any) -> list[str]:
    return [each.message for each in evaluate_alerts(RULES, [QueueHealth("fills", 0, 0, 0, 0, 0, **health)])]


def running(**more: Any) -> list[str]:
    return notified(longest_active=61, longest_active_job="17", longest_active_since=1_700_000_000_000, **more)


def test_a_run_that_takes_too_long_is_told_with_its_job_its_worker_and_since_when() -> None:
    assert running(longest_active_worker="desk-3") == [
        "fills: longest active is 61 s, more than 60 s (job 17 on worker desk-3 since 2023-11-14 22:13:20+00:00): "
        "look for a dead worker"
    ]


def test_whether_the_worker_is_dead_is_told() -> None:
    (said,) = running(longest_active_held=False)
    assert "job 17 on a worker without a name since" in said
    assert "its lease ran out: the worker is dead or frozen" in said


def test_a_schedule_that_has_stopped_is_named_unless_its_queue_is_paused() -> None:
    (said,) = notified(late_schedule="nightly", schedule_late=301)
    assert "schedules stopped is 301 s, more than 300 s (schedule nightly)" in said
    assert notified(late_schedule="nightly", schedule_late=300) == []
    assert notified(late_schedule="nightly", schedule_late=301, paused=True) == []


def test_what_cannot_be_read_of_a_queue_is_named() -> None:
    damage = tuple(f"job {n} processedOn: no time: nan" for n in range(5))
    (said,) = notified(damage=damage)
    assert said.startswith("fills: unreadable keys is 5, more than 0 (job 0 processedOn: no time: nan; job 1 ")
    assert "; and 2 more): repair or delete" in said


def test_a_slow_disk_is_told_while_it_is_recent() -> None:
    facts = facts_of_info("redis://x", b"aof_enabled:1\r\naof_delayed_fsync:7\r\n")
    assert facts.delayed_fsync == 7
    assert evaluate_alerts(RULES, [], [facts]) == []
    (alert,) = evaluate_alerts(RULES, [], [facts._replace(recent_delayed_fsync=2)])
    assert (alert.rule, alert.queue, alert.value) == ("delayed fsync", "server", 2)


def test_of_several_nodes_the_worst_one_is_told_by_name() -> None:
    nodes = [
        facts_of_info("redis://x", b"maxmemory:1000\r\nused_memory:%d\r\n" % used)._replace(node=f"n{number}:6379")
        for number, used in enumerate((100, 950, 910))
    ]
    (alert,) = evaluate_alerts(RULES, [], nodes)
    assert (alert.rule, alert.queue, alert.value) == ("memory", "server", 0.95)
    assert alert.message.startswith("server: memory is 0.95, more than 0.9 (node n1:6379): clean finished jobs")
    assert evaluate_alerts(RULES, [], nodes[:1]) == []


def test_limits_that_are_frozen_are_told_with_whose_calls_are_held() -> None:
    limits = [
        LimitsHealth("kraken"),
        LimitsHealth("binance", 119.5),
        LimitsHealth("bybit", 2, "ip=10.0.0.1"),
    ]
    assert [
        (each.rule, each.queue, each.message.partition(": find")[0])
        for each in evaluate_alerts(RULES, [], [], limits)
    ] == [
        ("limits frozen", "binance", "binance: limits frozen is 119.5 s, more than 0 s (all calls)"),
        ("limits frozen", "bybit", "bybit: limits frozen is 2 s, more than 0 s (calls of ip=10.0.0.1)"),
    ]
    (rule,) = [each for each in every_rule(desk, Thresholds(limits_frozen="30s")) if each.name == "limits frozen"]
    assert rule.for_ms == 30_000

"""What Prometheus is told, from snapshots and counters made by hand."""

import re
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stockyard import QueueHealth, ServerUnavailable
from stockyard._store.inspecting import ServerFacts
from stockyard.cache.stats import CacheStats
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.limits.stats import LimitsStats, LimitUsage
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.metrics import definitions
from stockyard.observe.metrics.exporter import Exporter, ServerSnapshot, WorkerFigures
from stockyard.observe.metrics.outbox_figures import OutboxFigures
from stockyard.observe.overview import Overview
from stockyard.pubsub.stats import ChannelStats

FACTS = ServerFacts("redis://h", product="redis", version="7.2.4", policy="noeviction", maxmemory=0, used_memory=5)
HEALTH = QueueHealth(
    "desk:fills", waiting=7, active=2, completed=40, failed=3, delayed=1, prioritized=4, paused=True, workers=2
)
FIRING = Incident("waiting", "desk:fills", Status.FIRING, 1, 101, 100, "scale", "m")
PENDING = Incident("failed", "desk:fills", Status.PENDING, 1, 51, 50, "look", "m")


ORDER = "node outbox queue cache channel limits limit scope name rule state policy version le".split()


def scraped(exporter: Exporter) -> dict[str, float]:
    """Every sample by its name and labels."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exporter)
    return {
        " ".join(
            [sample.name, *(sample.labels[each] for each in sorted(sample.labels, key=ORDER.index))]
        ): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def none() -> list[WorkerFigures]:
    return []


def test_each_job_of_a_queue_counts_in_one_state() -> None:
    found = scraped(Exporter(shared=lambda: ServerSnapshot([HEALTH], [FACTS], []), workers=none))
    states = {name.split()[-1]: value for name, value in found.items() if name.startswith("stockyard_jobs ")}
    assert states == {
        "waiting": 3, "prioritized": 4, "active": 2, "delayed": 1, "waiting-children": 0, "completed": 40,
        "failed": 3,
    }  # fmt: skip
    assert found["stockyard_queue_paused desk:fills"] == 1
    assert found["stockyard_workers desk:fills"] == 2


def test_the_server_is_told_with_its_policy_and_what_it_hides_is_left_out() -> None:
    found = scraped(Exporter(shared=lambda: ServerSnapshot([], [FACTS], []), workers=none))
    assert found["stockyard_server_up"] == 1
    assert found["stockyard_server_memory_bytes"] == 5
    assert found["stockyard_server_policy_info noeviction redis 7.2.4"] == 1
    assert "stockyard_server_evicted_keys_total" not in found


def test_each_node_of_a_cluster_is_told_by_its_place() -> None:
    nodes = [FACTS._replace(node="n1:6379"), FACTS._replace(node="n2:6379", used_memory=7, evicted=3)]
    found = scraped(Exporter(shared=lambda: ServerSnapshot([], nodes, []), workers=none))
    assert {name: value for name, value in found.items() if "memory_bytes" in name or "evicted" in name} == {
        "stockyard_server_memory_bytes n1:6379": 5,
        "stockyard_server_memory_bytes n2:6379": 7,
        "stockyard_server_maxmemory_bytes n1:6379": 0,
        "stockyard_server_maxmemory_bytes n2:6379": 0,
        "stockyard_server_evicted_keys_total n2:6379": 3,
    }
    assert found["stockyard_server_policy_info n2:6379 noeviction redis 7.2.4"] == 1


def test_alerts_that_fire_are_told_and_pending_ones_are_not() -> None:
    found = scraped(Exporter(shared=Overview([], [FACTS], [FIRING, PENDING]).snapshot, workers=none))
    assert {name: value for name, value in found.items() if "alerts" in name} == {
        "stockyard_alerts_firing desk:fills waiting": 1
    }


def test_a_server_that_does_not_answer_is_down_and_the_process_is_told_all_the_same() -> None:
    def refuse() -> ServerSnapshot:
        raise ServerUnavailable("nobody there")

    metrics = WorkerMetrics()
    metrics.of("fill").completed = 5
    found = scraped(Exporter(shared=refuse, workers=lambda: [WorkerFigures("q", metrics, 1, 20)]))
    assert found["stockyard_server_up"] == 0
    assert found["stockyard_jobs_completed_total q fill"] == 5
    assert found["stockyard_worker_concurrency q"] == 20


def test_limits_are_exported_by_limit_and_scope() -> None:
    usage = (LimitUsage("orders", "account=A1", 30, 100), LimitUsage("weight", "", 7000, 6000))
    counts = {"admitted": 5, "waited": 2, "waiting": 1, "wait_seconds": 1.5, "freezes": 1, "frozen_seconds": 9}
    stats = LimitsStats(**counts, usage=usage)  # type: ignore[arg-type]
    found = scraped(Exporter(shared=None, workers=none, limits=lambda: {"binance": stats}))
    assert {name: value for name, value in found.items() if name.startswith("stockyard_limit_")} == {
        "stockyard_limit_used binance orders account=A1": 30,
        "stockyard_limit_used binance weight ": 7000,
        "stockyard_limit_left binance orders account=A1": 70,
        "stockyard_limit_left binance weight ": 0,
        "stockyard_limit_frozen_seconds binance": 9,
        "stockyard_limit_waiting binance": 1,
        "stockyard_limit_admitted_total binance": 5,
        "stockyard_limit_waited_total binance": 2,
        "stockyard_limit_wait_seconds_total binance": 1.5,
        "stockyard_limit_freezes_total binance": 1,
    }


def test_caches_and_channels_are_told_by_name() -> None:
    found = scraped(
        Exporter(
            shared=None,
            workers=none,
            caches=lambda: {"risk": CacheStats(hits=7, bytes=300)},
            channels=lambda: {"prices": ChannelStats(dropped=3)},
        )
    )
    assert found["stockyard_cache_hits_total risk"] == 7
    assert found["stockyard_cache_bytes risk"] == 300
    assert found["stockyard_channel_dropped_total prices"] == 3


def test_outboxes_are_told_by_table_and_one_whose_database_is_away_is_down() -> None:
    figures = OutboxFigures({"mail": 3}, 1.5, 2, 7, True, False)
    outboxes = {"t": figures, "away": None}
    found = scraped(Exporter(shared=None, workers=none, outboxes=lambda: outboxes))
    assert {name: value for name, value in found.items() if "outbox" in name} == {
        "stockyard_outbox_up t": 1,
        "stockyard_outbox_up away": 0,
        "stockyard_outbox_pending_jobs t mail": 3,
        "stockyard_outbox_oldest_pending_seconds t": 1.5,
        "stockyard_outbox_failed_jobs t": 2,
        "stockyard_outbox_relayed_total t": 7,
        "stockyard_outbox_led t": 1,
        "stockyard_outbox_stuck t": 0,
    }


def test_workers_of_one_queue_are_added_up() -> None:
    first, second = WorkerMetrics(), WorkerMetrics()
    first.of("fill").failed = 2
    first.of("fill").run.observe(0.002)
    second.of("fill").failed = 3
    second.of("fill").run.observe(400.0)
    second.stalled = 1
    workers = [WorkerFigures("q", first, 4, 5), WorkerFigures("q", second, 1, 5)]
    found = scraped(Exporter(shared=None, workers=lambda: workers))
    assert found["stockyard_jobs_failed_total q fill"] == 5
    assert found["stockyard_worker_running q"] == 5
    assert found["stockyard_jobs_stalled_total q"] == 1
    buckets = {name: value for name, value in found.items() if name.startswith("stockyard_job_run_seconds_bucket")}
    assert buckets["stockyard_job_run_seconds_bucket q fill 0.001"] == 0
    assert buckets["stockyard_job_run_seconds_bucket q fill 0.0025"] == 1
    assert buckets["stockyard_job_run_seconds_bucket q fill 300"] == 1
    assert buckets["stockyard_job_run_seconds_bucket q fill +Inf"] == 2
    assert found["stockyard_job_run_seconds_count q fill"] == 2
    assert found["stockyard_job_run_seconds_sum q fill"] == pytest.approx(400.002)


@pytest.mark.parametrize("metric", definitions.METRICS, ids=lambda metric: metric.name)
def test_the_table_keeps_the_customs_of_prometheus(metric: definitions.Metric) -> None:
    assert metric.name.startswith("stockyard_")
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.help.endswith(".")
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds")


def test_every_name_is_in_the_table_once() -> None:
    names = [metric.name for metric in definitions.METRICS]
    assert len(names) == len(set(names))


def test_what_is_exported_is_the_table() -> None:
    metrics = WorkerMetrics()
    metrics.of("n").completed = 1
    overview = Overview(
        [replace(HEALTH, canary=2)], [FACTS._replace(evicted=0, delayed_fsync=0, clients=1)], [FIRING]
    )
    exporter = Exporter(
        shared=overview._replace(versions={("q", "1"): 3}).snapshot,
        workers=lambda: [WorkerFigures("q", metrics, 0, 1)],
        caches=lambda: {"c": CacheStats()},
        channels=lambda: {"c": ChannelStats()},
        limits=lambda: {"x": LimitsStats(usage=(LimitUsage("a", "", 0, 1),))},
        outboxes=lambda: {"t": OutboxFigures({"mail": 0}, 0, 0, 0, True, False)},
    )
    suffixes = r"_(bucket|count|sum|info)$"
    names = {metric.name for metric in definitions.METRICS}
    notified = {name.split()[0] for name in scraped(exporter)}
    assert {each if each in names else re.sub(suffixes, "", each) for each in notified} == names

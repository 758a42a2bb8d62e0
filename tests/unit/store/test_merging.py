"""What the shards of a queue say of themselves, put together."""

from stockyard._store.jobs.merging import merged_facts, merged_metrics, merged_settings, merged_workers
from stockyard._store.jobs.reading import QueueFacts
from stockyard._store.shard_map import numbers_in
from stockyard._store.snapshots import QueueMetrics, QueueSettings, WorkerInfo
from stockyard.topology import Rate

MINUTE = 60_000


def facts(**given: object) -> QueueFacts:
    blank = dict.fromkeys(QueueFacts._fields, 0) | {
        "running_id": "",
        "running_worker": "",
        "late_schedule": "",
        "halt": "",
        "damage": (),
    }
    return QueueFacts(**(blank | given))  # type: ignore[arg-type]


def test_numbers_are_sums_and_times_the_worst() -> None:
    merged = merged_facts(
        [
            facts(wait=3, completed=1, is_paused=1, workers=2, counted_failed=4),
            facts(wait=4, waiting_since=50, running_since=90, running_id="7@a", is_held=1, workers=3),
            facts(waiting_since=40, running_since=80, running_id="8@b", running_worker="w", damage=("wait: no",)),
            facts(late_due=70, late_schedule="sync", schedules=2),
        ]
    )
    assert (merged.wait, merged.completed, merged.counted_failed, merged.schedules) == (7, 1, 4, 2)
    assert (merged.is_paused, merged.workers, merged.waiting_since) == (0, 3, 40)
    assert (merged.running_since, merged.running_id, merged.running_worker, merged.is_held) == (80, "8@b", "w", 0)
    assert (merged.late_due, merged.late_schedule, merged.damage) == (70, "sync", ("wait: no",))


def test_a_queue_is_paused_when_all_of_its_shards_are() -> None:
    assert merged_facts([facts(is_paused=1), facts(is_paused=1)]).is_paused
    assert merged_facts([facts(is_paused=1, wait=2)]) == facts(is_paused=1, wait=2)


def test_limits_are_those_of_all_shards_together() -> None:
    some = QueueSettings(paused=True, concurrency=2, rate=Rate(10, 1000))
    assert merged_settings([some, some]) == QueueSettings(True, 4, Rate(20, 1000))
    assert merged_settings([some, QueueSettings()]) == QueueSettings()


def test_a_worker_is_there_once_however_many_shards_it_serves() -> None:
    def workers(*names: str) -> list[WorkerInfo]:
        return [WorkerInfo(name, "q", connection=number) for number, name in enumerate(names)]

    merged = merged_workers([workers("a", "b", ""), workers("a", "a"), workers("a", "c", "")])
    assert sorted(worker.name for worker in merged) == ["", "", "a", "a", "b", "c"]


def test_minutes_are_added_by_their_time() -> None:
    shards = [
        # Its running minute is 10: it counted 3 in 9, none in 8, and 5 since.
        QueueMetrics(count=8, prev_ts=10 * MINUTE + 5, prev_count=3, data=(3, 0), points=2),
        # It has seen nothing since minute 8, whose jobs are not in its list yet.
        QueueMetrics(count=6, prev_ts=8 * MINUTE, prev_count=4, data=(4,), points=1),
        QueueMetrics(),
    ]
    whole = merged_metrics(shards, 0, -1)
    assert whole == QueueMetrics(14, 10 * MINUTE + 5, 9, (3, 2, 4), 3)
    assert merged_metrics(shards, 1, 1).data == (2,)
    assert merged_metrics(shards, -2, -1).data == (2, 4)
    assert merged_metrics([QueueMetrics()], 0, -1) == QueueMetrics()


def test_numbers_of_shards_that_programs_have_noted() -> None:
    fields = ["opts.maxLenEvents", "stockyard.shards.4", "stockyard.shards.8", "stockyard.shards.x", "paused"]
    assert numbers_in([*fields, "stockyard.shards.1", "stockyard.shards.999"]) == {4, 8}

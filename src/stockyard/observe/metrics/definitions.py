"""Every metric that Stockyard exports: name, kind, meaning, labels; the reference is made from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as Prometheus reads it; counters end in ``_total``.
        kind: what it is.
        help: its meaning.
        labels: names of its labels.
        source: who exports it: every exporter (``server``), every process that relays the outbox (``database``),
            or the process itself (``process``).
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    source: Literal["server", "database", "process"]

    @property
    def topic(self) -> str:
        """What it is about: a heading of the reference, a row of the dashboard."""
        _, first, *_ = self.name.split("_")
        return _TOPICS.get(first) or ("Queues" if self.source == "server" else "Workers")


_TOPICS = {
    "alerts": "Alerts",
    "effects": "Effects",
    "server": "Server",
    "cache": "Caches",
    "channel": "Channels",
    "limit": "Limits",
    "outbox": "Outboxes",
}


def _server(name: str, kind: Kind, help: str, *labels: str) -> Metric:  # noqa: A002
    return Metric(f"stockyard_{name}", kind, help, labels, "server")


def _database(name: str, kind: Kind, help: str, *labels: str) -> Metric:  # noqa: A002
    return Metric(f"stockyard_{name}", kind, help, labels, "database")


def _process(name: str, kind: Kind, help: str, *labels: str) -> Metric:  # noqa: A002
    return Metric(f"stockyard_{name}", kind, help, labels, "process")


JOBS = _server("jobs", "gauge", "Jobs in each state.", "queue", "state")
PAUSED = _server("queue_paused", "gauge", "Whether the queue is paused.", "queue")
OLDEST = _server("oldest_waiting_seconds", "gauge", "Age of the oldest job that waits, 0 without one.", "queue")
LONGEST = _server("longest_active_seconds", "gauge", "Age of the longest run, 0 without one.", "queue")
LATE = _server(
    "schedule_late_seconds",
    "gauge",
    "How long the next run of a schedule is overdue, at worst.",
    "queue",
)
WORKERS = _server("workers", "gauge", "Workers connected, of any process and language.", "queue")
FLEET_COMPLETED = _server("queue_completed_total", "counter", "Jobs completed by workers that record it.", "queue")
FLEET_FAILED = _server("queue_failed_total", "counter", "Jobs failed by workers that record it.", "queue")
UNREADABLE = _server(
    "queue_unreadable_keys", "gauge", "Keys and records of the queue that cannot be read.", "queue"
)
COALESCED = _server(
    "queue_coalesced_total", "counter", "Payloads that newer ones of their coalescing keys replaced.", "queue"
)
EXPIRED = _server("queue_expired_total", "counter", "Jobs that did not start in time.", "queue")
DROPPED = _server("queue_dropped_total", "counter", "Jobs dropped for newer ones, as the queue was full.", "queue")
REFUSED = _server("queue_refused_total", "counter", "Adds refused, as the queue was full.", "queue")
EFFECTS_UNKNOWN = _server(
    "effects_unknown", "gauge", "Effects that may have been applied, and whose outcome is unknown.", "queue"
)
EFFECTS_OLDEST = _server(
    "effects_oldest_unknown_seconds", "gauge", "For how long one of them is unknown, at worst.", "queue"
)
NOT_UNDERSTOOD = _server(
    "jobs_not_understood",
    "gauge",
    "Jobs of payload versions that no worker has asked for within a minute.",
    "queue",
)
BY_VERSION = _server(
    "jobs_by_version",
    "gauge",
    "Jobs of a payload version that have not ended; of version unknown those beyond the first 10,000.",
    "queue",
    "version",
)
CANARY_SHARE = _server(
    "queue_canary_share",
    "gauge",
    "Share of the jobs of older payload versions that workers of this release run.",
    "queue",
    "version",
)
HALTED = _server("queue_halted", "gauge", "Whether a halt, or its circuit breaker, holds the queue.", "queue")
HALTED_KEYS = _server("queue_halted_keys", "gauge", "Keys of which the jobs are halted.", "queue")
BREAKER_OPEN = _server("queue_breaker_open", "gauge", "Whether the queue's circuit breaker is open.", "queue")
KEYS_PARKED = _server(
    "keys_parked", "gauge", "Keys whose job failed for good, so that those behind it wait.", "queue"
)
UP = _server("server_up", "gauge", "Whether the server answered.")
MEMORY = _server("server_memory_bytes", "gauge", "Memory that the server uses.", "node")
MAXMEMORY = _server(
    "server_maxmemory_bytes", "gauge", "Memory that the server may use, 0 without a limit.", "node"
)
EVICTED = _server("server_evicted_keys_total", "counter", "Keys that the server evicted since it started.", "node")
DELAYED_FSYNC = _server(
    "server_aof_delayed_fsync_total",
    "counter",
    "Writes to the append-only file that waited for a disk too slow for an fsync a second.",
    "node",
)
CLIENTS = _server("server_clients", "gauge", "Connections to the server.", "node")
POLICY = _server(
    "server_policy", "info", "The server's maxmemory-policy, version and product.", "node", "policy", "version"
)
ALERTS = _server("alerts_firing", "gauge", "Alerts that fire now.", "rule", "queue")

COMPLETED = _process("jobs_completed_total", "counter", "Jobs completed here.", "queue", "name")
FAILED = _process("jobs_failed_total", "counter", "Jobs failed for good here.", "queue", "name")
RETRIED = _process(
    "jobs_retried_total", "counter", "Attempts that failed here and are followed by another.", "queue", "name"
)
EXPIRED_HERE = _process("jobs_expired_total", "counter", "Jobs that did not start in time here.", "queue", "name")
REQUEUED = _process(
    "jobs_requeued_total",
    "counter",
    "Runs here whose job went back to wait, with no attempt used up.",
    "queue",
    "name",
)
DELAYED = _process(
    "jobs_delayed_total", "counter", "Runs here whose job was delayed, with no attempt used up.", "queue", "name"
)
WAITING_CHILDREN = _process(
    "jobs_waiting_children_total",
    "counter",
    "Runs here whose job went to wait for its children, with no attempt used up.",
    "queue",
    "name",
)
BATCHES = _process("job_batches_total", "counter", "Calls here of a handler of batches.", "queue", "name")
STALLED = _process("jobs_stalled_total", "counter", "Jobs of dead workers handed back from here.", "queue")
ABANDONED = _process(
    "threads_abandoned_total", "counter", "Threads given up here while their plain handlers still ran.", "queue"
)
HUNG = _process("threads_hung", "gauge", "Threads given up here whose handlers still run.", "queue")
LOOP_BLOCKED = _process(
    "loop_blocked_total", "counter", "Times that a handler held up the worker's event loop here.", "queue"
)
LOOP_BLOCKED_SECONDS = _process(
    "loop_blocked_seconds_total", "counter", "For how long handlers held up the worker's event loop here.", "queue"
)
WAIT = _process(
    "job_wait_seconds", "histogram", "From when a job might have run to its first start.", "queue", "name"
)
RUN = _process("job_run_seconds", "histogram", "From the start of an attempt to its end.", "queue", "name")
RUNNING = _process("worker_running", "gauge", "Jobs that run here now.", "queue")
CONCURRENCY = _process("worker_concurrency", "gauge", "Jobs that may run here at a time.", "queue")

CACHE_HITS = _process("cache_hits_total", "counter", "Entries found.", "cache")
CACHE_NEAR_HITS = _process("cache_near_hits_total", "counter", "Entries found in the process itself.", "cache")
CACHE_MISSES = _process("cache_misses_total", "counter", "Entries not found.", "cache")
CACHE_LOADS = _process("cache_loads_total", "counter", "Values computed.", "cache")
CACHE_STALE = _process("cache_stale_total", "counter", "Entries served while a fresh value was computed.", "cache")
CACHE_WAITS = _process("cache_waits_total", "counter", "Callers that waited for another caller's load.", "cache")
CACHE_ERRORS = _process("cache_errors_total", "counter", "Reads and writes that the server did not do.", "cache")
CACHE_EVICTIONS = _process("cache_evictions_total", "counter", "Entries evicted, as last seen.", "cache")
CACHE_BYTES = _process("cache_bytes", "gauge", "Bytes of the entries, as last seen.", "cache")
CACHE_ENTRIES = _process("cache_entries", "gauge", "Entries on the server, as last seen.", "cache")

CHANNEL_PUBLISHED = _process("channel_published_total", "counter", "Messages published from here.", "channel")
CHANNEL_RECEIVED = _process("channel_received_total", "counter", "Messages received here.", "channel")
CHANNEL_DELIVERED = _process(
    "channel_delivered_total", "counter", "Messages handed to subscribers here.", "channel"
)
CHANNEL_DROPPED = _process("channel_dropped_total", "counter", "Messages dropped for slow subscribers.", "channel")
CHANNEL_GAPS = _process("channel_gaps_total", "counter", "Gaps reported to subscribers.", "channel")
CHANNEL_INVALID = _process(
    "channel_invalid_total", "counter", "Messages that did not fit the channel's type.", "channel"
)
CHANNEL_RECONNECTS = _process(
    "channel_reconnects_total", "counter", "Connections that were lost while they had readers.", "channel"
)
CHANNEL_ACKNOWLEDGED = _process(
    "channel_acknowledged_total", "counter", "Durable messages acknowledged from here.", "channel"
)
CHANNEL_DEAD = _process(
    "channel_dead_total", "counter", "Durable messages moved to the dead letters from here.", "channel"
)

LIMIT_USED = _process("limit_used", "gauge", "Used of a limit, as last seen.", "limits", "limit", "scope")
LIMIT_LEFT = _process("limit_left", "gauge", "Left of a limit, as last seen.", "limits", "limit", "scope")
LIMIT_FROZEN = _process("limit_frozen_seconds", "gauge", "How long calls are held by a freeze.", "limits")
LIMIT_WAITING = _process("limit_waiting", "gauge", "Calls that wait here for their limits.", "limits")
LIMIT_ADMITTED = _process("limit_admitted_total", "counter", "Calls admitted here.", "limits")
LIMIT_WAITED = _process("limit_waited_total", "counter", "Calls admitted here after a wait.", "limits")
LIMIT_WAIT_SECONDS = _process("limit_wait_seconds_total", "counter", "What calls waited here, in sum.", "limits")
LIMIT_FREEZES = _process("limit_freezes_total", "counter", "Freezes begun from here.", "limits")

OUTBOX_UP = _database("outbox_up", "gauge", "Whether the database of the outbox answered.", "outbox")
OUTBOX_PENDING = _database("outbox_pending_jobs", "gauge", "Jobs that wait to be relayed.", "outbox", "queue")
OUTBOX_OLDEST = _database(
    "outbox_oldest_pending_seconds", "gauge", "Age of the oldest job that waits, 0 without one.", "outbox"
)
OUTBOX_FAILED = _database("outbox_failed_jobs", "gauge", "Jobs that their queues have refused for good.", "outbox")
OUTBOX_RELAYED = _database("outbox_relayed_total", "counter", "Jobs relayed since the table was made.", "outbox")
OUTBOX_LED = _database("outbox_led", "gauge", "Whether a relay leads.", "outbox")
OUTBOX_STUCK = _database("outbox_stuck", "gauge", "Whether the relay that leads cannot go on.", "outbox")

METRICS = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
"""All of them, in the order of this file."""

"""The variables of the environment: the one table from which warnings and the documentation are made."""

from __future__ import annotations

from typing import NamedTuple


class Variable(NamedTuple):
    """A variable that a process reads.

    Attributes:
        meaning: one line, as Markdown.
        default: what holds without it.
    """

    name: str
    meaning: str
    default: str


VARIABLES = (
    Variable("REDIS_URL", "the server of queues, cache and channels", "`redis://localhost:6379`"),
    Variable("REDIS_PASSWORD", "the password, if that URL has none; a contradiction is refused", "none"),
    Variable("REDIS_DB", "the database, if that URL has none; a contradiction is refused", "`0`"),
    Variable("CACHE_REDIS_URL", "a second server for caches, or the same by another login", "the first server"),
    Variable(
        "STOCKYARD_CACHE_BYTES",
        "what all caches may take: `512mb`",
        "a quarter of `maxmemory`, else 256 MB; none on a second server",
    ),
    Variable("STOCKYARD_PREFIX", "first part of every key; `{bull}` on a cluster", "`bull`, as BullMQ's"),
    Variable(
        "STOCKYARD_APP",
        "`MODULE:ATTR` of the App or Topology that commands use, unless `--app` names one",
        "the trading platform's",
    ),
    Variable(
        "STOCKYARD_OUTBOX_DATABASE",
        "the database that `stockyard outbox` relays from: `postgresql://…` or `sqlite:///…`",
        "none",
    ),
    Variable(
        "STOCKYARD_EGRESS",
        "the address that exchanges see of this process, by which limits of scope `ip` count",
        "`default`: all processes share it",
    ),
    Variable(
        "STOCKYARD_CALL_TIMEOUT",
        "seconds of silence from the server after which a call fails; a large call on a slow link takes as long "
        "as its bytes come or go",
        "`5`",
    ),
    Variable(
        "STOCKYARD_TRUST_SERVER",
        "`1`: settings that the server hides are as they should be, because you have checked them",
        "`0`",
    ),
    Variable("STOCKYARD_DASHBOARD_TOKEN", "the token to sign in to `stockyard dashboard` and act", "none"),
    Variable("STOCKYARD_DASHBOARD_READ_TOKEN", "the token to sign in to `stockyard dashboard` and look", "none"),
    Variable(
        "STOCKYARD_SERVER",
        "the program that `embedded://` starts",
        "that of the wheel, else `valkey-server` or `redis-server`",
    ),
    Variable(
        "STOCKYARD_SERVER_ALLOCATOR",
        "the memory allocator of that program: the path of a library, or `off` for the program's own; Linux only",
        "mimalloc of `stockyard[server]`, else the system's jemalloc, else the program's own",
    ),
    Variable("XDG_DATA_HOME", "`embedded://` keeps its data below it", "`~/.local/share`"),
    Variable("STOCKYARD_ALERT_INTERVAL", "the time between two looks of an alert monitor", "`15s`"),
    Variable("STOCKYARD_ALERT_WEBHOOK", "URLs that are sent each notification as JSON", "none"),
    Variable("STOCKYARD_ALERT_APPRISE", "URLs of Apprise that are sent each notification", "none"),
    Variable("STOCKYARD_ALERT_WAITING", "jobs that may wait in a high-priority queue", "`100`"),
    Variable("STOCKYARD_ALERT_FAILED", "failed jobs that a queue may keep", "`50`"),
    Variable("STOCKYARD_ALERT_ACTIVE", "how long a job may run", "`5m`"),
    Variable("STOCKYARD_ALERT_NO_WORKER", "how long jobs may wait without a worker", "`1m`"),
    Variable("STOCKYARD_ALERT_OLDEST_WAITING", "how long a job may wait", "`15m`"),
    Variable("STOCKYARD_ALERT_SCHEDULE_LATE", "how late a run of a schedule may be", "`5m`"),
    Variable("STOCKYARD_ALERT_EFFECTS_UNKNOWN", "how long an effect may be unknown", "`5m`"),
    Variable("STOCKYARD_ALERT_LIMITS_FROZEN", "how long the limits of an exchange may be frozen", "`0s`"),
    Variable("STOCKYARD_ALERT_MEMORY", "the part of `maxmemory` that may be in use", "`0.9`"),
)

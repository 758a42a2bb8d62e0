"""Writes the page that explains the metrics, from their table."""

from __future__ import annotations

from collections.abc import Iterable

from stockyard.consume.worker_metrics import BUCKETS, MOST_NAMES, OTHER
from stockyard.observe.metrics.definitions import METRICS, Metric

_HEAD = """\
# Metrics

Workers, exporters and relays expose these metrics for Prometheus. `stockyard metrics list` prints them in short,
`stockyard metrics dashboard` a Grafana dashboard of them (`deploy/grafana/stockyard.json`), and
`stockyard metrics reference` this page, from the table in `observe/metrics/definitions.py`.

The source of a metric decides how to aggregate it:

- **server**: every exporter reads it from the server at each scrape, for all queues in one round trip, and exports
  the same. Take the `max`, not the sum, over instances.
- **database**: every process that relays an [outbox](../howto/outbox.md) reads it there at each scrape,
  and exports the same. Take the `max`.
- **process**: each process counts what it did itself, from 0 at its start. Take the `sum` of the `rate`s.

When the server does not answer, `stockyard_server_up` is 0 and the other metrics of the server are left out.
"""

_TAIL = """\
## Labels

| label | means |
|---|---|
| `queue` | name of the queue; of an alert about the server: `server` |
| `state` | where a job is, as `stockyard queue counts` names it; each job counts once |
| `name` | the job's name; beyond {names} names of a worker the rest count as `{other}` |
| `rule` | the rule of an [alert](../operations/alerts.md) |
| `cache`, `channel`, `limits` | the name it was made by |
| `limit`, `scope` | an [exchange's limit](../howto/exchange-limits.md), and the values that it counts apart |
| `outbox` | name of its table |
| `node` | host and port of a primary of a cluster; missing on a single server and under Sentinel |
| `policy`, `version` | of the server: its `maxmemory-policy`, its product and version |

Histograms have the series `_bucket` (label `le`), `_sum` and `_count`, with these bounds in seconds: {bounds}.
An `info` metric is 1, its name has `_info` behind it, and its labels are the information.
"""


def metric_reference() -> str:
    """Return docs/reference/metrics.md."""
    topics = dict.fromkeys(metric.topic for metric in METRICS)
    tables = [_table(topic, [each for each in METRICS if each.topic == topic]) for topic in topics]
    tail = _TAIL.format(names=MOST_NAMES, other=OTHER, bounds=", ".join(f"{bucket:g}" for bucket in BUCKETS))
    return "\n".join([_HEAD, *tables, tail])


def _table(topic: str, metrics: Iterable[Metric]) -> str:
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} "
        f"| {each.source} | {each.help} |"
        for each in metrics
    ]
    return "\n".join(
        [f"## {topic}", "", "| metric | kind | labels | who | meaning |", "|---|---|---|---|---|", *rows, ""]
    )

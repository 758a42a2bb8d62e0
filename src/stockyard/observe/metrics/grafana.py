"""Draws a Grafana dashboard from the table of metrics: a row for each topic, a panel for each metric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from stockyard.observe.metrics import definitions
from stockyard.observe.metrics.definitions import METRICS, Metric
from stockyard.observe.metrics.promql import latest, selected

_ROWS = ("Alerts", "Queues", "Effects", "Workers", "Server", "Caches", "Channels", "Limits", "Outboxes")
_WIDTH, _HEIGHT, _ACROSS = 8, 7, 3
_QUANTILES = (0.5, 0.95, 0.99)
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_OF_ALL = (
    *(definitions.CACHE_BYTES, definitions.CACHE_ENTRIES, definitions.CACHE_EVICTIONS),
    *(definitions.LIMIT_USED, definitions.LIMIT_LEFT, definitions.LIMIT_FROZEN),
)
"""Exported by a process, about what all processes share."""


class _Panel(NamedTuple):
    title: str
    unit: str
    kind: str
    targets: list[tuple[str, str]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard, as Grafana imports it."""
    return {
        "uid": "stockyard",
        "title": "Stockyard",
        "tags": ["stockyard"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": list(_panels()),
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "queue",
            "label": "Queue",
            "type": "query",
            "datasource": _SOURCE,
            "query": f"label_values({definitions.JOBS.name}, queue)",
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _panels() -> Iterator[dict[str, Any]]:
    number = top = 0
    for topic in _ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": topic,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": _WIDTH * _ACROSS, "h": 1},
            "panels": [],
        }
        top += 1
        drawn = [*_summaries(topic), *(_panel(metric) for metric in METRICS if metric.topic == topic)]
        for place, panel in enumerate(drawn):
            number += 1
            down, across = divmod(place, _ACROSS)
            yield _drawn(panel, number, across * _WIDTH, top + down * _HEIGHT)
        top += -(-len(drawn) // _ACROSS) * _HEIGHT


def _drawn(panel: _Panel, number: int, x: int, y: int) -> dict[str, Any]:
    is_now = panel.kind != "timeseries"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": is_now,
                "range": not is_now,
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for place, (expression, legend) in enumerate(panel.targets)
        ],
    }


def _panel(metric: Metric) -> _Panel:
    title, legend = metric.help.removesuffix("."), _legend(metric.labels)
    match metric.kind:
        case "info":
            series = f"max by ({', '.join(metric.labels)}) ({metric.name}_info)"
            return _Panel(title, "none", "table", [(series, "")])
        case "histogram":
            return _Panel(title, "s", "timeseries", [_quantile(metric, quantile) for quantile in _QUANTILES])
        case "counter":
            return _Panel(f"{title}, per second", "ops", "timeseries", [(_rate(metric), legend)])
    unit = "s" if metric.name.endswith("_seconds") else "bytes" if metric.name.endswith("_bytes") else "short"
    if metric.topic == "Alerts":
        return _Panel(title, unit, "table", [(latest(metric), "")])
    is_of_server = set(metric.labels) <= {"node"}
    return _Panel(title, unit, "stat" if is_of_server else "timeseries", [(_now(metric), legend)])


def _summaries(topic: str) -> list[_Panel]:
    """Return panels that no single metric has."""
    match topic:
        case "Workers":
            share = f"{_now(definitions.RUNNING)} / {_now(definitions.CONCURRENCY)}"
            return [
                _Panel("Share of the workers' places in use", "percentunit", "timeseries", [(share, "{{queue}}")])
            ]
        case "Server":
            share = f"{latest(definitions.MEMORY)} / ({latest(definitions.MAXMEMORY)} > 0)"
            return [_Panel("Share of maxmemory in use", "percentunit", "timeseries", [(share, "{{node}}")])]
        case "Caches":
            answered = (definitions.CACHE_HITS, definitions.CACHE_NEAR_HITS, definitions.CACHE_STALE)
            found = " + ".join(map(_rate, answered))
            share = f"({found}) / ({found} + {_rate(definitions.CACHE_MISSES)})"
            return [_Panel("Answers out of the cache", "percentunit", "timeseries", [(share, "{{cache}}")])]
    return []


def _now(metric: Metric) -> str:
    if _is_exported_by_all(metric):
        return latest(metric, *_chosen(metric))
    return f"sum{_by(metric.labels)}({selected(metric.name, *_chosen(metric))})"


def _rate(metric: Metric) -> str:
    gather = "max" if _is_exported_by_all(metric) else "sum"
    return f"{gather}{_by(metric.labels)}(rate({selected(metric.name, *_chosen(metric))}[$__rate_interval]))"


def _quantile(metric: Metric, share: float) -> tuple[str, str]:
    buckets = selected(f"{metric.name}_bucket", *_chosen(metric))
    series = f"histogram_quantile({share:g}, sum by (le, queue) (rate({buckets}[$__rate_interval])))"
    return series, f"{{{{queue}}}} p{share * 100:g}"


def _is_exported_by_all(metric: Metric) -> bool:
    return metric.source != "process" or metric in _OF_ALL


def _chosen(metric: Metric) -> list[str]:
    return ['queue=~"$queue"'] if "queue" in metric.labels else []


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _legend(labels: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)

"""`stockyard metrics`: what is exported to Prometheus, explained, drawn."""

from __future__ import annotations

from cyclopts import App as Command

from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.observe.catalogue import METRICS
from stockyard.observe.dashboard import dashboard
from stockyard.observe.metric_reference import metric_reference

metrics = Command(name="metrics", help="List the metrics that Prometheus is told, explain and draw them.")


@metrics.command(name="list")
def list_metrics(*, json: AsJson = False) -> None:
    """List the metrics, their kinds, labels and meanings."""
    if json:
        show_json(METRICS)
    else:
        rows = [(each.name, each.kind, ", ".join(each.labels), each.source, each.help) for each in METRICS]
        show_table(("metric", "kind", "labels", "told by", "meaning"), rows)


@metrics.command
def reference() -> None:
    """Print the page that explains them: docs/reference/metrics.md."""
    print(metric_reference(), end="")


@metrics.command(name="dashboard")
def print_dashboard() -> None:
    """Print a dashboard of them for Grafana: deploy/grafana/stockyard.json."""
    show_json(dashboard())

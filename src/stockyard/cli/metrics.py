"""`stockyard metrics`: what is exported to Prometheus, explained, drawn, served."""

from __future__ import annotations

from cyclopts import App as Command

from stockyard._aio.stop_signals import stop_signals
from stockyard._logging import LogFormat, configure_logging
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson, Endpoint, host_and_port
from stockyard.observe.metrics.definitions import METRICS
from stockyard.observe.metrics.grafana import dashboard
from stockyard.observe.metrics.reference import metric_reference

metrics = Command(name="metrics", help="List, explain, draw and serve the metrics for Prometheus.")


@metrics.command(name="list")
def list_metrics(*, json: AsJson = False) -> None:
    """List the metrics, their kinds, labels and meanings."""
    if json:
        show_json(METRICS)
    else:
        rows = [(each.name, each.kind, ", ".join(each.labels), each.source, each.help) for each in METRICS]
        show_table(("metric", "kind", "labels", "source", "meaning"), rows)


@metrics.command
def reference() -> None:
    """Print the page that explains them: docs/reference/metrics.md."""
    print(metric_reference(), end="")


@metrics.command
async def serve(
    *, port: Endpoint = None, log_format: LogFormat | None = None, connection: Connection = DEFAULT
) -> None:
    """Serve the server's metrics at /metrics, until stopped. Workers serve them too, with their own.

    Args:
        port: [HOST:]PORT to listen on; 9400 by default, on this machine alone.
        log_format: text or json; text by default.
    """
    configure_logging(log_format or "text", force=log_format is not None)
    host, number = host_and_port(port or "127.0.0.1:9400")
    with stop_signals() as stopped:
        async with connection.open() as app:
            print(f"metrics at {app.serve_metrics(host, number).url}/metrics", flush=True)
            await stopped.wait()


@metrics.command(name="dashboard")
def print_dashboard() -> None:
    """Print a dashboard of them for Grafana: deploy/grafana/stockyard.json."""
    show_json(dashboard())

"""All pages, by the names of their addresses."""

from __future__ import annotations

from stockyard.dashboard.views import finding, lists, stops
from stockyard.dashboard.views.failures import failures
from stockyard.dashboard.views.flow import flow
from stockyard.dashboard.views.job import job
from stockyard.dashboard.views.overview import overview
from stockyard.dashboard.views.queue import queue
from stockyard.dashboard.views.view import View, looking

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("overview", "Overview", overview, 1.0, has_menu=True),
        View("search", "Search", finding.search, 0.3, has_menu=True),
        View("failures", "Failures", failures, 0.3, has_menu=True),
        View("keys", "Keys", looking(stops.keys), 2.0, has_menu=True),
        View("schedules", "Schedules", looking(lists.schedules), 5.0, has_menu=True),
        View("limits", "Limits", looking(lists.limits), 1.0, has_menu=True),
        View("halts", "Halts", looking(stops.halts), 2.0, has_menu=True),
        View("effects", "Effects", looking(lists.effects), 2.0, has_menu=True),
        View("workers", "Workers", looking(lists.workers), 2.0, has_menu=True),
        View("alerts", "Alerts", looking(lists.alerts), 2.0, has_menu=True),
        View("caches", "Caches", looking(lists.caches), 2.0, has_menu=True),
        View("channels", "Channels", looking(lists.channels), 2.0, has_menu=True),
        View("server", "Server", looking(lists.server), 10.0, has_menu=True),
        View("audit", "Audit", looking(lists.audit), 5.0, has_menu=True),
        View("queue", "Queue", looking(queue), 2.0),
        View("job", "Job", looking(job), 2.0),
        View("flow", "Flow", looking(flow), 2.0),
        View("operation", "Operation", looking(lists.operation), 0.3),
    )
}
"""In the order of the menu."""

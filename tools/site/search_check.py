"""Checks that a newcomer finds the fitting page by the site's search, and names the API's results as such."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

API = "reference/api/"
FIRST = 5
"""A reader looks at so many results."""
EXPECTED: Mapping[str, Sequence[str]] = {
    "retry": ("howto/retries",),
    "rate limit": ("howto/rate-limits",),
    "graceful shutdown": ("howto/graceful-shutdown",),
    "dead worker": ("howto/dead-workers",),
    "idempotent": ("explanation/idempotency", "howto/retries"),
    "heartbeat": ("howto/dead-workers",),
    "dead letter": ("howto/failed-jobs",),
    "testing": ("howto/testing",),
    "FastAPI": ("howto/fastapi",),
    "Kubernetes": ("howto/deploy",),
    # What the how-to guides answer beside these.
    "Django": ("howto/django",),
    "notebook": ("howto/notebooks",),
    "unit test": ("howto/testing",),
    "exponential backoff": ("howto/retries",),
    "priority": ("howto/priorities",),
    "cron": ("howto/schedules",),
    "chain": ("howto/flows",),
    "deduplication": ("howto/deduplication",),
    "debounce": ("howto/deduplication",),
    "cache": ("howto/caching", "reference/cache"),
    "stampede": ("howto/caching", "reference/cache"),
    "websocket": ("howto/streaming", "howto/fastapi"),
    "consumer group": ("howto/streaming",),
    "timeout": ("howto/child-processes",),
    "bull board": ("howto/bull-board",),
    "outbox": ("howto/outbox",),
    "systemd": ("howto/deploy",),
    "docker": ("howto/deploy",),
    "probes": ("howto/deploy",),
    "TLS": ("howto/securing",),
    "ACL": ("howto/securing",),
    "Prometheus": ("howto/monitoring",),
    "Grafana": ("howto/monitoring",),
    "Slack": ("howto/monitoring",),
    "upgrading": ("howto/upgrading",),
    "environment variables": ("reference/configuration",),
    "circuit breaker": ("howto/kill-switch",),
    "redis cluster": ("howto/cluster",),
    "stalled": ("howto/dead-workers",),
    "dead letter queue": ("howto/failed-jobs",),
    "celery beat": ("migration/celery",),
    "chord": ("migration/celery", "howto/flows"),
}
"""What is typed into the search, and the pages of which one is among the first results."""


def label_api(site: Path) -> None:
    """Begin the title of each result of the API by "API:".

    Readers see what they would open. The search prefers titles that begin with what was typed: guides come before
    the methods of that name.
    """
    path = site / "search.json"
    index = json.loads(path.read_text())
    for item in index["items"]:
        if item["location"].startswith(API):
            item["title"] = f"API: {item['title']}"
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text)
    # The same for a site that is opened from a folder, without a server.
    (site / "search.js").write_text(f"var __index = {text}")


def not_found(site: Path) -> list[str]:
    """Return the terms whose first results are of no fitting page.

    The ranking is that of the program which the browser runs, for which Node is needed. Without Node, a title or a
    text of a fitting page must hold the term.
    """
    if node := shutil.which("node"):
        command = [node, str(Path(__file__).parent / "search.mjs"), str(site), *EXPECTED]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results = json.loads(done.stdout)
    else:
        print("the order of search results is not checked, because there is no node", file=sys.stderr)
        items = json.loads((site / "search.json").read_text())["items"]
        results = {term: _holding(term, items) for term in EXPECTED}
    return unfitting(results, FIRST if node else None)


def unfitting(results: Mapping[str, Sequence[str]], first: int | None) -> list[str]:
    """Return the terms that do not have a fitting page among so many results."""
    return [
        term
        for term, pages in EXPECTED.items()
        if not {location.partition(".html")[0] for location in results[term][:first]} & set(pages)
    ]


def _holding(term: str, items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [item["location"] for item in items if term.casefold() in f"{item['title']} {item['text']}".casefold()]

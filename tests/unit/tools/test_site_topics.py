"""Every task that the documentation promises has a guide, in the navigation, with code to paste."""

import re
from pathlib import Path

import pytest

from tests.support.documents import programs
from tools.site.navigation import sections
from tools.site.pages import DOCS, gather

TOPICS = {
    "quickstart.md": "pip install; stockyard worker; graceful shutdown",
    "howto/fastapi.md": "lifespan; depend; status codes; EventSource; WebSocket; 503",
    "howto/django.md": "settings; views; on_commit",
    "howto/scripts.md": "scripts; threads; notebook",
    "howto/notebooks.md": "Jupyter",
    "howto/testing.md": "run_job; assert_enqueued; pytest",
    "howto/retries.md": "retry; backoff; jitter",
    "howto/rate-limits.md": "set_rate; backpressure",
    "howto/priorities.md": "priority; starvation",
    "howto/schedules.md": "cron; every; calendar",
    "howto/flows.md": "parent; chain",
    "howto/deduplication.md": "throttle; debounce; job_id",
    "howto/caching.md": "approval; get_or_set; revoke",
    "howto/streaming.md": "prices; consumer group; browser",
    "howto/child-processes.md": 'executor="process"; timeout',
    "howto/bullmq.md": "colon; mixed fleet; stockyard.compat.bullmq",
    "howto/bull-board.md": "npm install; createBullBoard",
    "howto/deploy.md": "systemd; Docker; Kubernetes; memory; probes; rolling deploys; ports; versions",
    "howto/securing.md": "TLS; ACL; users",
    "howto/monitoring.md": "Prometheus; Grafana; Slack; Apprise",
    "howto/operating-under-failure.md": "ReplyLost; ServerUnavailable; full server",
    "howto/upgrading.md": "rolling; version",
    "howto/graceful-shutdown.md": "SIGTERM; grace",
    "howto/dead-workers.md": "lease; heartbeat; stalled",
    "howto/failed-jobs.md": "dead letter queue; retry",
    "migration/bullmq.md": "before; after; stockyard.compat.bullmq",
    "migration/celery.md": "before; after; apply_async; delay; beat; chord",
    "migration/rq.md": "before; after; enqueue",
    "explanation/delivery.md": "at least once; leases; dead workers",
    "explanation/idempotency.md": "idempotent",
    "explanation/eviction.md": "noeviction",
    "explanation/architecture.md": "Queue; Worker",
    "explanation/benchmarks.md": "BullMQ",
    "explanation/decisions.md": "adr",
    "reference/options.md": "options of `add`; of a queue; of a worker; of a cache; of a channel; of a schedule",
    "reference/handlers.md": "hooks; middleware",
    "reference/command-line.md": "stockyard worker",
    "reference/configuration.md": "REDIS_URL",
    "reference/metrics.md": "Prometheus",
    "reference/events.md": "CompletedEvent; EventGap",
    "reference/errors.md": "StockyardError",
    "reference/wire.md": "BullMQ",
    "glossary.md": "lease; handler; stampede",
}
"""Pages, and the words of the tasks that each answers."""
STEPS = "queues payloads retries rate-limits priorities schedules cache live-prices flows pipeline tests alerts"
"""The tutorial, one step a page."""
PAGES = gather(
    dict.fromkeys(
        ("command-line", "errors", "events", "view-top", "view-health", "view-queue-list", "view-doctor"),
        lambda: "| `StockyardError` | `CompletedEvent` | stockyard worker |",
    )
)
LISTED = [path for paths in sections(PAGES).values() for path in paths]
CODE = re.compile(r"^```(?:python|bash|js|yaml)\b", re.M)


@pytest.mark.parametrize("page", TOPICS)
def test_a_task_has_a_page_in_the_navigation(page: str) -> None:
    assert page in LISTED
    text = PAGES[page].casefold()
    assert [word for word in TOPICS[page].split("; ") if word.casefold() not in text] == []


@pytest.mark.parametrize("page", [page for page in TOPICS if page.startswith(("howto/", "migration/"))])
def test_a_guide_has_code_to_paste(page: str) -> None:
    assert CODE.search(PAGES[page])


def test_the_index_of_guides_leads_to_each() -> None:
    index = PAGES["howto/index.md"]
    guides = {path.name for path in (DOCS / "howto").glob("*.md")} - {"index.md"}
    assert sorted(guides - set(re.findall(r"\]\(([\w-]+\.md)\)", index))) == []


def test_the_tutorial_has_its_steps_in_order() -> None:
    steps = [f"tutorial/{step}.md" for step in STEPS.split()]
    assert [path for path in LISTED if path.startswith("tutorial/")] == ["tutorial/index.md", *steps]
    assert [step for step in steps if not _has_program(DOCS / step)] == []


def _has_program(page: Path) -> bool:
    return bool(programs(page)) or "<!-- pytest -->" in page.read_text()

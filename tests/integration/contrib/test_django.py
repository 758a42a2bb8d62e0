"""The Django project of examples/: views, commits, the outbox, tasks, and a worker by `manage.py`."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import ROOT
from tests.support.ports import free_port
from tests.support.program import Program

pytest.importorskip("django", reason="comes with an extra: `make install`")

MANAGE = [sys.executable, "-m", "examples.django_shop.manage"]
Shell = Callable[..., Any]
_BEGIN = """
import json
from django.db import transaction
from django.test import Client
from examples.django_shop.models import Order
from examples.django_shop.queues import app, orders
from examples.django_shop import tasks

client = Client()

def post(path, body):
    answer = client.post(path, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()

def finished(result):
    app.queue("default").sync.get_job(result.id.rpartition("/")[2]).sync.wait_for_result("60s")
    result.refresh()
    return result
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    _run(["migrate", "--verbosity=0"], {**os.environ, "SHOP_DATABASE": str(database)})
    return database


@pytest.fixture
def environment(redis_url: str, prefix: str, migrated: Path, tmp_path: Path) -> dict[str, str]:
    database = str(shutil.copy(migrated, tmp_path))
    settings = {
        "REDIS_URL": redis_url,
        "STOCKYARD_PREFIX": prefix,
        "STOCKYARD_CALL_TIMEOUT": "2",
        "SHOP_DATABASE": database,
        "STOCKYARD_OUTBOX_DATABASE": f"sqlite:///{database}",
        "DJANGO_SETTINGS_MODULE": "examples.django_shop.settings",
    }
    return {**os.environ, **settings}


@pytest.fixture
def shell(environment: dict[str, str]) -> Shell:
    """Runs statements in the project, as of a program of its; what they leave in `answer` is returned."""

    def run(text: str, **more: str) -> Any:
        program = f"import django\ndjango.setup()\n{_BEGIN}\n{text}\nprint(json.dumps(answer))\napp.close()"
        command = [sys.executable, "-c", program]
        return json.loads(_output(command, {**environment, **more}).splitlines()[-1])

    return run


@pytest.fixture
def worker(environment: dict[str, str], shell: Shell) -> Iterator[None]:
    with ExitStack() as ending:
        programs = [["worker", "--log-format=json"], ["outbox", "relay", "--poll=50ms"]]
        running = [
            ending.enter_context(
                Program([*MANAGE, "stockyard", *command], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
            )
            for command in programs
        ]
        yield
        for program in running:
            program.send_signal(signal.SIGTERM)
        assert [program.wait(timeout=60) for program in running] == [0, 0]


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    return _output([*MANAGE, *arguments], environment)


def _output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("worker")
def test_orders_and_tasks_run_on_a_worker_of_the_project(shell: Shell) -> None:
    answer = shell("""
status, added = post("/orders/", {"symbol": "BTCUSDT", "quantity": 2})
job = app.queue("orders").sync.get_job(f"order-{added['id']}")
safe_status, safe = post("/safe-orders/", {"symbol": "ETHUSDT", "quantity": 5})

from datetime import timedelta
from django.utils import timezone
total = tasks.total.using(run_after=timezone.now() + timedelta(milliseconds=50)).enqueue([1, 2, 3])
flaky = tasks.flaky.enqueue("ada")
broken = tasks.broken.enqueue("no such symbol")
answer = {
    "statuses": [status, safe_status],
    "handled": job.sync.wait_for_result("60s"),
    "order": client.get(f"/orders/{added['id']}/").json()["status"],
    "total": finished(total).return_value,
    "view": client.get(f"/results/{total.id}/").json(),
    "flaky": [finished(flaky).return_value, flaky.attempts, [e.exception_class_path for e in flaky.errors]],
}
from stockyard import JobFailed
try:
    finished(broken)
except JobFailed:
    broken.refresh()
answer["broken"] = [broken.status, broken.attempts, [str(e.exception_class) for e in broken.errors]]
from tests.support.waiting import wait_until
wait_until(lambda: Order.objects.get(pk=safe["id"]).status == "submitted", within=90)
answer["safe"] = client.get(f"/orders/{safe['id']}/").json()["status"]
""")
    assert answer == {
        "statuses": [202, 202],
        "handled": "2 BTCUSDT",
        "order": "submitted",
        "total": 6,
        "view": {"status": "SUCCESSFUL", "value": 6},
        "flaky": ["ada at attempt 2", 2, ["builtins.ConnectionError"]],
        "broken": ["FAILED", 2, ["<class 'ValueError'>", "<class 'ValueError'>"]],
        "safe": "submitted",
    }


def test_a_transaction_that_is_rolled_back_adds_nothing(shell: Shell) -> None:
    answer = shell("""
from stockyard import InvalidOption
from stockyard.contrib.django import add_on_commit, outbox_connection
from examples.django_shop.queues import outbox

counts = []
try:
    with transaction.atomic():
        order = Order.objects.create(symbol="BTCUSDT", quantity=2)
        add_on_commit("orders", "submit", {"order": order.pk})
        outbox.add(outbox_connection(), "orders", "submit", {"order": order.pk})
        raise LookupError
except LookupError:
    counts.append([Order.objects.count(), app.queue("orders").sync.counts()["waiting"]])
with transaction.atomic():
    add_on_commit("orders", "submit", {"order": 1})
    counts.append(app.queue("orders").sync.counts()["waiting"])
counts.append(app.queue("orders").sync.counts()["waiting"])
try:
    outbox_connection()
except InvalidOption as error:
    refused = str(error)
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM stockyard_outbox")
    rows = cursor.fetchone()[0]
later = tasks.total.using(priority=-5).enqueue([1])
job = app.queue("default").sync.get_job(later.id.rpartition("/")[2])
missing = [client.get("/orders/77/").status_code]
from stockyard.contrib.django.tasks import StockyardBackend, TaskResultDoesNotExist
for result_id in ("default/unknown", "nowhere/1", "", later.id):
    try:
        missing.append(tasks.total.get_backend().get_result(result_id).status)
    except TaskResultDoesNotExist:
        missing.append("none")

import contextlib, io
from stockyard.contrib.django.management.commands.stockyard import Command
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    Command().run_from_argv(["manage.py", "stockyard", "queue", "list", "--json"])
queues = [queue["name"] for queue in json.loads(printed.getvalue())]
answer = {
    "counts": counts, "rows": rows, "refused": refused, "priority": job.priority, "missing": missing,
    "queues": queues,
}
""")
    assert answer["counts"] == [[0, 0], 0, 1]
    assert answer["rows"] == 0
    assert "within transaction.atomic()" in answer["refused"]
    assert answer["priority"] == 105
    assert sorted(answer["queues"]) == ["default", "orders"]
    assert answer["missing"] == [404, "none", "none", "none", "READY"]


def test_a_server_that_is_away_answers_503_and_the_outbox_takes_the_job_all_the_same(shell: Shell) -> None:
    answer = shell(
        """
answer = [
    post("/orders/", {"symbol": "BTCUSDT", "quantity": 2})[0],
    post("/safe-orders/", {"symbol": "BTCUSDT", "quantity": 2})[0],
    Order.objects.count(),
]
""",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}",
    )
    assert answer == [503, 202, 2]

"""How tasks of Django and jobs are read as each other; without a server."""

from datetime import UTC, datetime

import pytest

from stockyard import Topology
from stockyard.errors import HandlerError, UnrecoverableError

pytest.importorskip("django", reason="comes with an extra: `make install`")

from stockyard.contrib.django import tasks


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ("Traceback …\n  File …\nValueError: no such symbol", "builtins.ValueError"),
        ("Traceback …\nshop.errors.Refused: by the venue: A1\n", "shop.errors.Refused"),
        ("Traceback …\nKeyError", "builtins.KeyError"),
        ("by a peer on Node, at line 3", "builtins.Exception"),
        ("", "builtins.Exception"),
    ],
)
def test_the_class_of_an_error_is_read_from_its_traceback(trace: str, expected: str) -> None:
    assert tasks._class_in(trace) == expected


def test_times_are_aware() -> None:
    assert tasks._moment(None) is None
    assert tasks._moment(1_500) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("path", ["os.system", "nowhere.send", "stockyard.contrib.django.tasks.run_task"])
def test_a_payload_names_tasks_and_nothing_else(path: str) -> None:
    with pytest.raises(UnrecoverableError, match=r"is no task|there is no task"):
        tasks._task(path)


def test_a_queue_serves_tasks_beside_its_own_handlers_and_once() -> None:
    queue = Topology("shop").queue("default")
    tasks.serve_tasks(queue)
    assert queue.router.names == (tasks.JOB_NAME,)
    with pytest.raises(HandlerError, match="registered already"):
        tasks.serve_tasks(queue)

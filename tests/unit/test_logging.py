"""Log lines with the job that they were written for."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stockyard import InvalidOption, Job, JobOptions
from stockyard._logging import JsonFormatter, TextFormatter, configure_logging, current_job


@contextmanager
def working_on(**fields: Any) -> Iterator[None]:
    given = {"id": "17", "name": "fill", "data": None, "queue": "desk:fills", "timestamp": 1, **fields}
    token = current_job.set(Job(options=JobOptions(), port=None, **given))  # type: ignore[arg-type]
    try:
        yield
    finally:
        current_job.reset(token)


def record(message: str = "hello", *arguments: object, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": message, "args": arguments, **extra})
    made.created = 1_700_000_000.5
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(made)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_is_one_object_in_utc() -> None:
    assert line(record("%d fills\nof today", 3)) == {
        "time": "2023-11-14T22:13:20.500Z",
        "level": "INFO",
        "logger": "shop",
        "message": "3 fills\nof today",
    }


def test_a_line_of_a_handler_carries_queue_job_and_attempt() -> None:
    with working_on(attempts_made=2):
        assert line(record()).items() >= {"queue": "desk:fills", "job": "17", "attempt": 3}.items()
        assert TextFormatter().format(record()).endswith(" INFO hello [desk:fills job 17 attempt 3]")
    assert "job" not in line(record())
    assert TextFormatter().format(record()).endswith(" INFO hello")


async def test_tasks_and_threads_of_a_handler_inherit_its_job() -> None:
    def look() -> str:
        return str(line(record())["job"])

    async def look_in_task() -> str:
        return look()

    with working_on():
        assert await asyncio.create_task(look_in_task()) == "17"
        assert await asyncio.to_thread(look) == "17"


def test_what_was_given_as_extra_is_told_and_wins() -> None:
    with working_on():
        told = line(record(account="A-1", queue="other", odd=object))
    assert (told["account"], told["queue"]) == ("A-1", "other")
    assert "object" in told["odd"]


def test_an_exception_keeps_its_traceback() -> None:
    try:
        raise ValueError("no such account")
    except ValueError:
        made = record(exc_info=sys.exc_info())
    assert "Traceback" in line(made)["exception"]
    assert "ValueError: no such account" in TextFormatter().format(made)


@pytest.mark.parametrize(
    "url", ["redis://user:s3cret@host:6379/0", "rediss://:s3cret@host", "https://a:s3cret@b/c"]
)
def test_passwords_of_urls_are_masked(url: str) -> None:
    made = record("cannot reach %s", url, where={"url": url}, next='"x:y@z"')
    for text in (JsonFormatter().format(made), TextFormatter().format(made)):
        assert "s3cret" not in text
        assert "***@" in text
    assert json.loads(JsonFormatter().format(made))["next"] == '"x:y@z"'


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    monkeypatch.setattr("stockyard._logging._chosen", None)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_it_is_set_up_in_one_call(root: logging.Logger) -> None:
    configure_logging("json", "warning")
    (handler,) = root.handlers
    assert (type(handler.formatter), root.level) == (JsonFormatter, logging.WARNING)
    configure_logging("text", force=False)
    assert root.handlers == [handler]


@pytest.mark.parametrize(("chosen", "level"), [("xml", "INFO"), ("json", "loud")])
def test_what_is_not_known_is_refused(chosen: Any, level: str) -> None:
    with pytest.raises(InvalidOption, match=r"xml|loud"):
        configure_logging(chosen, level)

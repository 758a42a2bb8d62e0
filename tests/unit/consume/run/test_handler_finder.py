"""Which handler runs a job: of a router, of the queue's declaration, or one for every job."""

from typing import Any

import pytest

from stockyard import Router
from stockyard.consume.run.handler_finder import handlers_of
from stockyard.errors import HandlerError, InvalidOption
from stockyard.topology import QueueSpec


async def submit(job: Any) -> None: ...


def candles(job: Any) -> None: ...


def routed() -> Router:
    router = Router()
    router.handler("submit")(submit)
    router.handler("candles", executor="thread")(candles)
    return router


def test_one_function_runs_jobs_of_every_name() -> None:
    handlers, find = handlers_of(QueueSpec("q"), submit, None)
    assert len(handlers) == 1
    assert find("a") is find("b") is handlers[0]


def test_a_plain_function_runs_in_the_executor_that_was_named() -> None:
    handlers, _ = handlers_of(QueueSpec("q"), candles, "process")
    assert handlers[0].executor == "process"


def test_a_router_finds_by_name() -> None:
    handlers, find = handlers_of(QueueSpec("q"), routed(), None)
    assert [find(name).executor for name in ("submit", "candles")] == [each.executor for each in handlers]
    assert find("candles").executor == "thread"


def test_without_a_processor_the_declaration_s_handlers_run() -> None:
    handlers, find = handlers_of(QueueSpec("q", router=routed()), None, None)
    assert len(handlers) == 2
    assert find("submit") in handlers


def test_an_unknown_name_says_which_are_served() -> None:
    _, find = handlers_of(QueueSpec("orders", router=routed()), None, None)
    with pytest.raises(HandlerError, match=r"'cancel'.*queue 'orders'.*submit, candles|candles, submit"):
        find("cancel")


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(HandlerError, match="'orders' has nothing to run: give it a processor"):
        handlers_of(QueueSpec("orders"), None, None)


@pytest.mark.parametrize("processor", [None, routed()], ids=["declared", "router"])
def test_an_executor_for_handlers_that_name_their_own_is_refused(processor: Router | None) -> None:
    with pytest.raises(InvalidOption, match="executor='process' is for the one handler that a worker is given"):
        handlers_of(QueueSpec("q", router=routed()), processor, "process")

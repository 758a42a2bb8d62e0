"""A job's payload on its way to the handler: decoded once, mended by middleware, handed to a child as text."""

from typing import Any

import msgspec
import pytest

from stockyard.consume.run.invocation import Invocation
from stockyard.errors import HandlerError, PayloadError
from stockyard.model.handler import Handler
from stockyard.model.job import Job, set_field
from stockyard.model.options import JobOptions

TEXT = b'{"symbol":"A","amount":2}'


class Order(msgspec.Struct):
    symbol: str
    amount: int


def submit(job: Job[Order]) -> None: ...


def handler(executor: Any = "thread") -> Handler:
    return Handler.of(submit, executor, None)


def invocation(found: Handler, data: bytes = TEXT) -> Invocation:
    job: Job[Any] = Job("1", "submit", data, JobOptions(), "q", 0, port=None)  # type: ignore[arg-type]
    return Invocation(job, lambda name: found)


def test_without_user_code_in_between_the_payload_is_decoded_for_the_handler() -> None:
    found = handler()
    call = invocation(found)
    assert call.data_for(found, call.job) == b""
    assert call.job.data == Order("A", 2)


def test_a_child_process_is_given_the_stored_text() -> None:
    found = handler("process")
    call = invocation(found)
    assert call.data_for(found, call.job) == TEXT


def test_a_child_is_given_the_stored_text_though_middleware_saw_the_payload() -> None:
    found = handler("process")
    call = invocation(found, b'{ "symbol": "A", "amount": 2 }')
    call.expose()
    assert call.job.data == Order("A", 2)
    assert call.data_for(found, call.job) == b'{ "symbol": "A", "amount": 2 }'


@pytest.mark.parametrize("replaces", [True, False])
def test_a_child_is_given_what_middleware_changed(replaces: bool) -> None:
    found = handler("process")
    call = invocation(found)
    call.expose()
    if replaces:
        set_field(call.job, "data", Order("B", 3))
    else:
        call.job.data.symbol, call.job.data.amount = "B", 3
    assert msgspec.json.decode(call.data_for(found, call.job)) == {"symbol": "B", "amount": 3}


def test_a_payload_that_does_not_fit_is_shown_as_it_is_and_fails_at_the_handler() -> None:
    found = handler()
    call = invocation(found, b'{"symbol":"A"}')
    call.expose()
    assert call.job.data == {"symbol": "A"}
    with pytest.raises(PayloadError, match="amount"):
        call.data_for(found, call.job)


def test_middleware_may_mend_a_payload_that_does_not_fit() -> None:
    found = handler()
    call = invocation(found, b'{"symbol":"A"}')
    call.expose()
    call.job.data["amount"] = 5
    call.data_for(found, call.job)
    assert call.job.data == Order("A", 5)


def test_a_job_that_nobody_serves_shows_plain_values() -> None:
    def find(name: str) -> Handler:
        raise HandlerError("no handler")

    job: Job[Any] = Job("1", "x", TEXT, JobOptions(), "q", 0, port=None)  # type: ignore[arg-type]
    call = Invocation(job, find)
    call.expose()
    assert job.data == {"symbol": "A", "amount": 2}
    assert call.handler is None


def test_a_payload_stored_by_the_child_reaches_the_job() -> None:
    found = handler("process")
    call = invocation(found)
    call.expose()
    call.updated({"symbol": "C", "amount": 9})
    assert call.job.data == Order("C", 9)
    call.updated({"symbol": "C"})
    assert call.job.data == {"symbol": "C"}


def test_a_payload_stored_by_the_child_stays_text_until_somebody_looks() -> None:
    found = handler("process")
    call = invocation(found)
    call.updated({"symbol": "C", "amount": 9})
    call.expose()
    assert call.job.data == Order("C", 9)

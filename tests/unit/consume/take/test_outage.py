"""What a worker's calls say about its server."""

from typing import Any, cast

from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.heartbeat import Heartbeat
from stockyard.consume.take.outage import Outage
from stockyard.errors import ServerUnavailable


class Leniency:
    """Notes what a finisher is asked for."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def begin_outage(self) -> None:
        self.calls.append("begin")

    def end_outage(self, seconds: float) -> None:
        self.calls.append(seconds)


def outage(finisher: Leniency, errors: list[BaseException] | None) -> Outage:
    return Outage(
        "q",
        heartbeat=Heartbeat(),
        finisher=cast("Finisher", finisher),
        lenient_seconds=60,
        on_error=None if errors is None else errors.append,
    )


def test_each_cause_is_said_once_until_the_server_answers() -> None:
    errors: list[BaseException] = []
    finisher = Leniency()
    server = outage(finisher, errors)
    first, second = ServerUnavailable("refused"), ServerUnavailable("silent")
    for error in (first, first, second, second):
        server.begin(error)
    assert errors == [first, second]
    assert server.is_on
    server.end()
    assert not server.is_on
    server.begin(first)
    assert errors == [first, second, first]
    assert finisher.calls == ["begin"] * 4 + [60, "begin"]


def test_an_answer_without_an_outage_changes_nothing() -> None:
    finisher = Leniency()
    server = outage(finisher, None)
    server.end()
    assert finisher.calls == []
    server.begin(ServerUnavailable("refused"))
    assert server.is_on

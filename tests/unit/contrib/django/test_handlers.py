"""What handlers of a Django project are wrapped in, and what its command is given."""

from typing import Any

import pytest

from stockyard import HandlerError, Job, Topology

pytest.importorskip("django", reason="comes with an extra: `make install`")

from stockyard.contrib.django import connections
from stockyard.contrib.django.management.commands import stockyard as command


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(connections, "close_old_connections", lambda: calls.append("closed"))
    return calls


def test_connections_are_fresh_before_and_after_a_run_that_fails(closed: list[str]) -> None:
    @connections.fresh_connections
    def fail(job: Job[dict[str, Any]]) -> None:
        closed.append("ran")
        raise LookupError

    with pytest.raises(LookupError):
        fail(None)  # type: ignore[arg-type]
    assert closed == ["closed", "ran", "closed"]


def test_a_wrapped_handler_keeps_its_name_and_its_payload() -> None:
    @connections.fresh_connections
    def submit(job: Job[dict[str, int]]) -> str:
        return str(job.id)

    queue = Topology("shop").queue("orders")
    queue.handler(submit)
    assert queue.router.names == ("submit",)


def test_a_coroutine_function_is_refused() -> None:
    async def submit(job: Job[Any]) -> None: ...

    with pytest.raises(HandlerError, match="make it a plain function"):
        connections.fresh_connections(submit)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["worker", "--grace=5s"], ["worker", command.ENTRY, "--grace=5s"]),
        (["worker"], ["worker", command.ENTRY]),
        (["worker", "list"], ["worker", "list"]),
        (["health", "--json"], ["health", "--json"]),
    ],
)
def test_the_worker_needs_no_target(
    given: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKYARD_APP", "elsewhere:app")
    calls: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        calls.append(arguments)
        return 3

    monkeypatch.setattr(command, "main", main)
    with pytest.raises(SystemExit) as ended:
        command.Command().run_from_argv(["manage.py", "stockyard", *given])
    assert calls == [expected]
    assert ended.value.code == 3

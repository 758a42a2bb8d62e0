"""When a worker looks for jobs whose lease ran out: not before those who hold jobs could renew their leases."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.hooks import Hooks
from stockyard.consume.recover.stalled import StalledJobRecoverer
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ReplyLost, ServerUnavailable

INTERVAL_MS = 10
AWAY = ServerUnavailable("away")


class Server:
    """Answers as it is asked to; no clock of it is ever off."""

    address = "redis://localhost"

    def __init__(self) -> None:
        self.clock = self
        self.failure: Exception | None = None
        self.is_primary = True

    async def measure_clock(self, tries: int) -> None:
        if self.failure is not None:
            raise self.failure

    async def leads_to_primary(self) -> bool:
        return self.is_primary

    def warning(self, _: str) -> str:
        return ""


class Keyspace:
    """A queue on that server; counts the looks."""

    queue = base = "q"
    arrangement = None

    def __init__(self) -> None:
        self.server = Server()
        self.looks = 0
        self.refusal: Exception | None = None

    def clock(self) -> int:
        return 0

    async def run(self, *_: Any, **__: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        self.looks += 1
        return [[], b"", 0, b""]


class Waits:
    """Counts the waits for others' renewals; ``then`` is called at the end of each."""

    def __init__(self) -> None:
        self.times = 0
        self.then: Callable[[], object] = bool

    async def __call__(self) -> None:
        self.times += 1
        self.then()


@pytest.fixture
def keyspace() -> Keyspace:
    return Keyspace()


@pytest.fixture
def recoverer(keyspace: Keyspace) -> StalledJobRecoverer:
    return StalledJobRecoverer(
        cast("QueueKeyspace", keyspace),
        interval_ms=INTERVAL_MS,
        max_stalled=1,
        hooks=Hooks(),
        metrics=WorkerMetrics(),
    )


@pytest.fixture
def waits(recoverer: StalledJobRecoverer, monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits()
    monkeypatch.setattr(recoverer, "_wait_for_renewals", waits)
    return waits


async def test_beside_a_server_that_answers_it_looks_at_once(
    recoverer: StalledJobRecoverer, keyspace: Keyspace, waits: Waits
) -> None:
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (1, 0)


@pytest.mark.parametrize(
    "outage", [{"failure": AWAY}, {"failure": ReplyLost("silent")}, {"is_primary": False}], ids=str
)
async def test_after_an_outage_it_waits_once_however_long_that_was(
    recoverer: StalledJobRecoverer, keyspace: Keyspace, waits: Waits, outage: dict[str, Any]
) -> None:
    vars(keyspace.server).update(outage)
    for _ in range(3):
        await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (0, 0)
    vars(keyspace.server).update(failure=None, is_primary=True)
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (1, 1)
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (2, 1)


@pytest.mark.parametrize("refusal", [AWAY, ReplyLost("silent")])
async def test_a_node_of_a_cluster_that_refuses_the_look_was_away(
    recoverer: StalledJobRecoverer, keyspace: Keyspace, waits: Waits, refusal: Exception
) -> None:
    keyspace.refusal = refusal
    await recoverer.sweep()
    keyspace.refusal = None
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (1, 1)


async def test_a_server_that_goes_again_while_it_waits_is_waited_for_again(
    recoverer: StalledJobRecoverer, keyspace: Keyspace, waits: Waits
) -> None:
    keyspace.server.failure = AWAY
    await recoverer.sweep()
    keyspace.server.failure = None
    waits.then = lambda: setattr(keyspace.server, "failure", AWAY)
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (0, 1)
    keyspace.server.failure, waits.then = None, bool
    await recoverer.sweep()
    assert (keyspace.looks, waits.times) == (1, 2)

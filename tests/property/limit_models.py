"""Models of the kinds of limits in plain Python, and a comparison of what they admit with what the server does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stockyard.model.limit import Bucket, Decay, Fixed, Gap, InFlight, Limit, Rolling
from tests.scripts.exchange import Admitted, Exchange

RESERVE = {"cancel": 0.2, "submit": 0.0}
STEP = 0.1
"""Seconds between two moments: a rolling window of 10 s keeps uses that are 50 ms apart apart."""


class Model(Protocol):
    """What a rule says: may a call be made, and what if it is."""

    def admits(self, now: float, cost: float, lane: str) -> bool: ...
    def admit(self, now: float, cost: float, lane: str) -> None: ...


def room(most: float, lane: str, used: float, by_lane: Mapping[str, float]) -> float:
    """What is left beside the reserves that other lanes have not used."""
    kept = sum(max(0, share * most - by_lane.get(other, 0)) for other, share in RESERVE.items() if other != lane)
    return most - kept - used + 1e-6


@dataclass
class Window:
    """Calls with their times, of which those in the present window count."""

    most: float
    per: float
    is_rolling: bool
    calls: list[tuple[float, float, str]] = field(default_factory=list)

    def _present(self, now: float) -> list[tuple[float, float, str]]:
        if self.is_rolling:
            return [call for call in self.calls if call[0] + self.per > now + 1e-9]
        begin = now + 1e-9 - (now + 1e-9) % self.per
        return [call for call in self.calls if call[0] + 1e-9 >= begin]

    def admits(self, now: float, cost: float, lane: str) -> bool:
        present = self._present(now)
        by_lane = {other: sum(each[1] for each in present if each[2] == other) for other in RESERVE}
        return cost <= room(self.most, lane, sum(each[1] for each in present), by_lane)

    def admit(self, now: float, cost: float, lane: str) -> None:
        self.calls.append((now, cost, lane))


@dataclass
class Level:
    """A level that sinks."""

    most: float
    rate: float
    level: float = 0
    at: float = 0

    def _now(self, now: float) -> float:
        return max(0, self.level - self.rate * (now - self.at))

    def admits(self, now: float, cost: float, lane: str) -> bool:
        return cost <= room(self.most, lane, self._now(now), {})

    def admit(self, now: float, cost: float, lane: str) -> None:
        self.level, self.at = self._now(now) + cost, now


@dataclass
class Spaced:
    """The last call."""

    least: float
    last: float = -1e9

    def admits(self, now: float, cost: float, lane: str) -> bool:
        return self.last + self.least <= now + 1e-9

    def admit(self, now: float, cost: float, lane: str) -> None:
        self.last = now


KINDS: dict[str, tuple[Limit, Model]] = {
    "fixed": (Fixed("x", 10, per="10s"), Window(10, 10, False)),
    "rolling": (Rolling("x", 10, per="10s"), Window(10, 10, True)),
    "bucket": (Bucket("x", rate=2, burst=10), Level(10, 2)),
    "decay": (Decay("x", 10, per_second=0.5), Level(10, 0.5)),
    "gap": (Gap("x", "3s"), Spaced(3)),
    # A call under way that never ends counts for its lease.
    "inflight": (InFlight("x", 10, lease="10s"), Window(10, 10, True)),
}


def fresh(kind: str) -> tuple[Limit, Model]:
    """Return a limit of a kind and a model of it that nothing has used."""
    limit, model = KINDS[kind]
    new = {
        name: value
        for name, value in vars(model).items()
        if name in ("most", "per", "is_rolling", "rate", "least")
    }
    return limit, type(model)(**new)


async def compare(exchange: Exchange, kind: str, model: Model, calls: Sequence[tuple[int, int, str]]) -> None:
    """Make calls, each so many steps after the one before; an assertion fails where the server is not the model.

    Args:
        exchange: has the limit.
        kind: of the limit.
        model: what its rule says.
        calls: steps of time, cost and lane of each.
    """
    step = 0
    for pause, cost, lane in calls:
        step += pause
        now = step * STEP
        answer = await exchange.ask(now, cost, lane=lane)
        assert isinstance(answer, Admitted) is model.admits(now, cost, lane), (now, cost, lane, answer)
        if isinstance(answer, Admitted):
            model.admit(now, cost, lane)
        else:
            # The wait is as long as the rule says, and no longer; of calls under way, one may be too few.
            assert kind == "inflight" or model.admits(now + answer + 1e-5, cost, lane)
            assert not model.admits(now + answer - 1e-3, cost, lane)

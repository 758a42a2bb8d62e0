"""Cron patterns by the parser that BullMQ uses and by ours: the same times, and the same patterns refused."""

import random
from typing import Any

import pytest

from stockyard import InvalidOption
from stockyard.model.cron import cron_pattern, zone_of
from tests.support.node import NodeObject, NodePeer

ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca",
    "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip
CHANGES = (1_741_503_600, 1_759_593_600, 1_762_063_200, 1_774_746_000, 1_775_318_400, 1_792_890_000)
"""Seconds at which clocks are set, in one or another of these zones."""

THEIRS = """
async (queue, asked, count) => {
  const { CronExpressionParser } = await import("cron-parser");
  return asked.map(([pattern, tz, after]) => {
    try {
      const times = CronExpressionParser.parse(pattern, { tz, currentDate: new Date(after) });
      return Array.from({ length: count }, () => times.next().getTime());
    } catch {
      return null;
    }
  });
}
"""
COUNT = 6


class Patterns:
    """Makes up patterns and times, more often than not near a change of the clock."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def ask(self) -> tuple[str, str, int]:
        rng = self._random
        after = rng.randint(1_600_000_000_000, 1_900_000_000_000)
        if rng.random() < 0.6:
            after = rng.choice(CHANGES) * 1000 - rng.randint(3 * 3_600_000, 40 * 3_600_000)
        return self.pattern(), rng.choice(ZONES), after // 1000 * 1000 if rng.random() < 0.5 else after

    def pattern(self) -> str:
        fields = [
            self._field(0, 59, 0.3),
            self._field(0, 59, 0.2),
            self._field(0, 23, 0.3),
            self._field(1, 31, 0.5, "L", "15,L", "1,L"),
            self._field(1, 12, 0.6, "JAN", "jan-mar", "JUN,DEC", "*/3"),
            self._field(0, 7, 0.5, "MON", "mon-fri", "5L", "FRIL", "1#2", "SUN#1", "7", "7#1", "1L,3", "sat,sun"),
        ]
        return " ".join(fields if self._random.random() < 0.6 else fields[1:])

    def _field(self, low: int, high: int, stars: float, *special: str) -> str:
        rng = self._random
        if rng.random() < stars:
            return rng.choice(("*", "*", "*", "?"))
        if special and rng.random() < 0.3:
            return rng.choice(special)
        first, last = sorted((rng.randint(low, high), rng.randint(low, high)))
        return rng.choice(
            (
                str(first),
                f"{first}-{last}",
                f"*/{rng.randint(1, 12)}",
                f"{first}-{last}/{rng.randint(1, 7)}",
                f"{first}/{rng.randint(1, 9)}",
                f"{first},{last},{rng.randint(low, high)}",
            )
        )


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_times_for_thousands_of_patterns(node: NodePeer, queue: NodeObject, seed: int) -> None:
    patterns = Patterns(seed)
    asked = [patterns.ask() for _ in range(2000)]
    theirs = await node.ask("run", on=queue.handle, source=THEIRS, args=[asked, COUNT])
    ours = [times(*each) for each in asked]
    assert [
        (each, of_node, of_ours)
        for each, of_node, of_ours in zip(asked, theirs, ours, strict=True)
        if of_node != of_ours
    ] == []
    assert sum(each is not None for each in theirs) > 1500


@pytest.mark.parametrize(
    "pattern",
    [
        "1,1 * * * *", "1-5,3 * * * *", "0 0 * * 0,7", "0 0 * * 7,5-7", "60 * * * *", "*/0 * * * *", "5-1 * * * *",
        "0 0 31 4,6 *", "0 0 30 2 *", "0 0 LW * *", "0 0 * * L", "0 0 * * 1#6", "0 0 * * 1#2,3", "a * * * *",
        "* * * * * * *", "0 0 L-2 * *", "@often", "1, * * * *",
    ],
)  # fmt: skip
async def test_what_node_refuses_is_refused(node: NodePeer, queue: NodeObject, pattern: str) -> None:
    # A schedule that Node cannot read would stand still there, with its run left in active.
    assert await node.ask("run", on=queue.handle, source=THEIRS, args=[[[pattern, "UTC", 0]], 1]) == [None]
    assert times(pattern, "UTC", 0) is None


def times(pattern: str, tz: str, after: int) -> list[int] | None:
    found: list[Any] = [after]
    try:
        for _ in range(COUNT):
            found.append(cron_pattern(pattern).next(found[-1], zone_of(tz)))
    except InvalidOption:
        return None
    return found[1:]

"""Waits for conditions."""

import pytest

from stockyard.testing import eventually


async def test_it_returns_when_the_condition_is_true() -> None:
    seen: list[int] = []

    async def condition() -> bool:
        seen.append(0)
        return len(seen) == 3

    await eventually(condition)
    await eventually(lambda: len(seen) == 3)


async def test_it_gives_up_with_the_source_of_the_condition() -> None:
    with pytest.raises(TimeoutError, match=r"not true within 10ms \(last value 0\): .*lambda: 0"):
        await eventually(lambda: 0, within="10ms")

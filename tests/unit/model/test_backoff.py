"""The wait between attempts."""

import random
from collections.abc import Awaitable
from typing import Any

import pytest

from stockyard import Backoff, InvalidOption, Job, JobOptions
from stockyard.model.backoff_delay import FAIL_NOW, next_delay
from stockyard.model.duration import LONGEST

ERROR = ValueError("no")
JOB: Job[Any] = Job("1", "work", None, JobOptions(), "q", 0, port=None)  # type: ignore[arg-type]


def wait(backoff: Backoff | None, made: int, rng: random.Random, **strategies: Any) -> Any:
    return next_delay(backoff, made, ERROR, job=JOB, strategies=strategies, rng=rng)


def waits(backoff: Backoff | None, attempts: int = 5, **strategies: Any) -> list[int]:
    rng = random.Random(7)
    return [wait(backoff, made, rng, **strategies) for made in range(1, attempts + 1)]


def test_each_kind_waits_as_its_formula_says() -> None:
    assert waits(None, 3) == [0, 0, 0]
    assert waits(Backoff.fixed("2s"), 3) == [2000] * 3
    assert waits(Backoff.exponential("1s")) == [1000, 2000, 4000, 8000, 16000]
    assert waits(Backoff.custom("own"), 3, own=lambda made, *_: made * 0.1) == [100, 200, 300]
    assert waits(Backoff.custom("own"), 1, own=lambda *_: None) == [FAIL_NOW]


def test_a_maximum_bounds_the_wait_before_jitter() -> None:
    assert waits(Backoff.exponential("1s", maximum="3s"), 4) == [1000, 2000, 3000, 3000]
    assert max(waits(Backoff.exponential("1s", maximum="3s", jitter=0.5), 500)) < 3000
    with pytest.raises(InvalidOption, match="backoff maximum must be the delay or longer; got '1s' for '2s'"):
        Backoff.exponential("2s", maximum="1s")


def test_a_strategy_is_given_the_attempts_made_the_type_the_error_and_the_job() -> None:
    given: list[Any] = []

    def own(made: int, kind: str, error: BaseException, job: Job[Any]) -> str:
        given.append((made, kind, error, job))
        return "1s"

    assert waits(Backoff.custom("own"), 2, own=own) == [1000, 1000]
    assert given == [(1, "own", ERROR, JOB), (2, "own", ERROR, JOB)]


@pytest.mark.parametrize(("answer", "delay"), [("1s", 1000), (0, 0), (None, FAIL_NOW)])
async def test_a_strategy_that_is_a_coroutine_function_is_to_be_awaited(answer: Any, delay: int) -> None:
    async def own(*_: Any) -> Any:
        return answer

    asked = wait(Backoff.custom("own"), 1, random.Random(), own=own)
    assert isinstance(asked, Awaitable)
    assert await asked == delay


async def test_a_coroutine_that_answers_no_duration_is_refused() -> None:
    async def own(*_: Any) -> str:
        return "soon"

    with pytest.raises(InvalidOption, match="backoff strategy 'own'"):
        await wait(Backoff.custom("own"), 1, random.Random(), own=own)


@pytest.mark.parametrize("jitter", [0.2, 1.0])
def test_jitter_stays_in_its_range(jitter: float) -> None:
    drawn = waits(Backoff.fixed("10s", jitter=jitter), 1000)
    assert min(drawn) >= 10_000 * (1 - jitter)
    assert max(drawn) < 10_000
    assert len(set(drawn)) > 300


def test_no_number_of_attempts_waits_for_ever() -> None:
    rng = random.Random()
    for made in (64, 1_000_000):
        assert wait(Backoff.exponential("1s"), made, rng) == LONGEST
    assert wait(Backoff("fixed", -5), 1, rng) == 0


def test_unknown_strategies_and_odd_jitter_are_refused() -> None:
    with pytest.raises(InvalidOption, match="no backoff strategy 'theirs'; it knows exponential, fixed, own"):
        waits(Backoff.custom("theirs"), 1, own=lambda *_: 0)
    for jitter in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidOption, match="jitter must be a number from 0 to 1"):
            Backoff.fixed("1s", jitter=jitter)

"""Histories on a Sentinel set and on a cluster that lose a primary, with workers of Node beside ours."""

import pytest

from tests.faults.scenarios import IS_LONG
from tests.faults.sets_scenarios import SETS, SetScenario, play_on_set
from tests.support.contention import contention

FOLLOWS_WITHIN = 2.0
"""Seconds from the moment when the new primary is one."""

CHOSEN = [each for each in SETS if IS_LONG or not each.is_long]


@pytest.mark.long
@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda each: each.name)
async def test_a_job_that_is_acknowledged_as_durable_is_kept(scenario: SetScenario) -> None:
    before = await contention()
    verdict = await play_on_set(scenario)
    print(f"\n{scenario.name}: {verdict}")
    assert verdict.problems == []
    assert verdict.acknowledged > 100
    if scenario.durability is not None:
        assert verdict.lost == 0
    assert verdict.resumed < FOLLOWS_WITHIN * max(before, await contention())

"""Histories under a server that dies, freezes or forgets: every acknowledged job ends once."""

import pytest

from tests.faults.scenarios import IS_LONG, SERVER, WORKERS, Scenario, play
from tests.support.contention import contention

CHOSEN = [each for each in (*SERVER, *WORKERS) if IS_LONG or not each.is_long]


@pytest.mark.long
@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda each: each.name)
async def test_every_acknowledged_job_ends_once(scenario: Scenario) -> None:
    before = await contention()
    verdict = await play(scenario)
    assert verdict.problems == []
    assert verdict.acknowledged > 100
    # A restart costs two seconds of processing at most; a slow machine is given as long again, a busy one more.
    assert verdict.resumed < 4 * max(before, await contention())
    if not scenario.forgets:
        assert verdict.lost == 0
        assert verdict.doubled <= scenario.unwritten

"""Histories under connections that fall silent, lag, break, or lose replies: every acknowledged job ends once."""

import pytest

from tests.faults.scenarios import WIRES, Scenario, play


@pytest.mark.long
@pytest.mark.parametrize("scenario", WIRES, ids=lambda each: each.name)
async def test_every_acknowledged_job_ends_once(scenario: Scenario) -> None:
    verdict = await play(scenario)
    assert verdict.problems == []
    assert verdict.acknowledged > 30
    assert (verdict.lost, verdict.doubled) == (0, 0)
    # The promise: a connection that is silently cut is noticed and replaced within 15 seconds.
    assert verdict.gap < 15

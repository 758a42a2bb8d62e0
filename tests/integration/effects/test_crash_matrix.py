"""The crash matrix: a run ends somewhere, others follow, and the venue's book has the order once or not at all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.effects import EffectOutcome
from tests.support.effect_runs import CRASHES, Simulation, broken
from tests.support.paper_venue import RULES

SEEDS, TOGETHER = 200, 25
VENUES = [(rule, verify) for rule in RULES for verify in (True, False) if not (rule == "forever" and verify)]
"""Where a second request is ignored for ever, nobody needs to ask."""


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[Server]:
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield server
    await server.aclose()


@pytest.mark.parametrize(("rule", "verify"), VENUES, ids=lambda each: str(each))
@pytest.mark.parametrize("crash", CRASHES)
async def test_an_order_stands_once_and_its_outcome_is_honest(
    server: Server, prefix: str, crash: str, rule: str, verify: bool
) -> None:
    outcomes: Counter[str] = Counter()
    for first in range(0, SEEDS, TOGETHER):
        seeds = range(first, first + TOGETHER)
        played = await asyncio.gather(
            *(Simulation(server, prefix, rule=rule, verify=verify, seed=seed).play(crash) for seed in seeds)
        )
        for seed, (record, orders) in zip(seeds, played, strict=True):
            assert broken(record, orders) == "", f"seed {seed}"
            assert record is not None
            outcomes[record.outcome] += 1
    assert outcomes[EffectOutcome.OPEN] == 0, outcomes
    if crash == "recorded" or verify or rule == "forever":
        # What is not committed was never taken by the venue, or is in the end found out to be so.
        assert outcomes["committed"] > SEEDS * 0.6, outcomes
    elif crash in ("intent written", "sent", "reply in hand", "fenced failure") and rule != "window":
        assert outcomes["committed"] == 0, outcomes
        assert outcomes["unknown"] == SEEDS, outcomes

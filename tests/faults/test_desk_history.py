"""Order, freshness, expiry and limits over real processes, to which everything happens that happens to processes.

`DESK_SECONDS` is how long faults go on; `make soak` sets it.
"""

import os
from pathlib import Path

import pytest

from tests.faults.desk_fleet import PREFIX, SYMBOLS, DeskFleet
from tests.faults.desk_programs import LEASE_SECONDS, MOST, QUEUES, WINDOW_SECONDS
from tests.support.desk_history import Start, disorder, read_facts, stale, together, unended
from tests.support.history import read_diaries
from tests.support.rolling import most_used

SECONDS = float(os.environ.get("DESK_SECONDS", "1"))
SEED = int(os.environ.get("DESK_SEED", "1"))


@pytest.mark.long
@pytest.mark.timeout(SECONDS * 3 + 300)
async def test_a_desk_keeps_its_promises_whatever_happens_to_its_processes(tmp_path: Path) -> None:
    async with DeskFleet(tmp_path, SEED) as fleet:
        await fleet.suffer(SECONDS)
        await fleet.settle()
        left = fleet.left_locked()
        processed = await fleet.latest_processed()
        with fleet.server.client() as client:
            facts = {queue: read_facts(client, f"{PREFIX}:{queue}:events") for queue in QUEUES}
    notes = read_diaries(tmp_path)
    stalls = {queue: {fact.job_id for fact in facts[queue] if fact.event == "stalled"} for queue in QUEUES}
    starts = [Start(each.job_id, each.run, int(each.result)) for each in notes if each.key == "quote"]
    uses = sorted((int(float(each.result)), each.run) for each in notes if each.key == "order")

    signals = [job_id for ids in fleet.signals.values() for job_id in ids]
    assert unended(signals, facts["signals"]) == []
    assert disorder(fleet.signals, facts["signals"]) == []
    assert together(fleet.waiting, frozenset(stalls["ticks"]), 2000 * LEASE_SECONDS) == []
    assert {each for each in SYMBOLS if processed[each] < fleet.latest[each]} == set()
    assert stale(starts) == []
    assert unended(fleet.quotes, facts["quotes"]) == []
    assert most_used(uses, WINDOW_SECONDS * 1_000_000) <= MOST
    assert unended(fleet.orders, facts["orders"]) == []
    assert left == []

    # It would prove nothing if nothing had happened.
    assert any(stalls.values())
    assert {fact.event for fact in facts["quotes"]} >= {"expired", "completed"}
    assert any(each.player.startswith("node") for each in notes)
    print(f"\n{dict(fleet.faults)}; {len(signals)} signals, {len(starts)} quotes, {len(uses)} orders started")

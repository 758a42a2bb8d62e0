"""Jobs that are to run at a time of day instead of after a wait."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from stockyard import Flow, InvalidOption
from stockyard.model.clock import SteppedClock
from tests.support.yard import Yard

NOW = 1_900_000_800_000
LATER = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("eta", "delay"),
    [
        (LATER, 300_000),
        (LATER.astimezone(timezone(timedelta(hours=-5))), 300_000),
        (LATER - timedelta(minutes=6), 0),
        (NOW + 7, 7),
        (None, 0),
    ],
)
async def test_a_time_becomes_a_delay(redis_url: str, prefix: str, eta: Any, delay: int) -> None:
    async with Yard(redis_url, prefix, clock=SteppedClock(NOW)) as yard:
        queue = yard.queue()
        jobs = [await queue.add("x", eta=eta), *await queue.add_many([("x", 1, {"eta": eta})])]
        tree = await yard.app.flows.add(Flow("x", "q", eta=eta))
        for job in (*jobs, tree.job):
            stored = await job.refresh()
            assert (job.delay_ms, stored.delay_ms, stored.options.delay_ms) == (delay, delay, delay)
            assert await job.state() == ("delayed" if delay else "waiting")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"eta": datetime(2030, 1, 1)}, "eta must be a datetime with a zone, as datetime.now"),
        ({"eta": "tomorrow"}, "eta must be a datetime with a zone"),
        ({"eta": True}, "eta must be a datetime with a zone"),
        ({"eta": LATER, "delay": "5m"}, "eta and delay exclude each other"),
        ({"eta": LATER, "delay": 0}, "eta and delay exclude each other"),
    ],
)
async def test_what_is_no_time_is_refused(yard: Yard, options: Any, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        await yard.queue().add("x", **options)
    with pytest.raises(InvalidOption, match="decides eta"):
        await yard.app.schedules("q").upsert("s", every="1h", eta=LATER)  # type: ignore[call-arg]

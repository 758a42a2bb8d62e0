"""editing.retry: a finished job waits again."""

import pytest

from stockyard._store import editing
from stockyard._store.link import QueueLink
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

COUNTED = {"atm": 2, "ats": 2, "stacktrace": "[]"}


@pytest.mark.parametrize(("state", "result"), [("failed", "failedReason"), ("completed", "returnvalue")])
async def test_its_end_is_forgotten_and_its_attempts_are_not(
    link: QueueLink, keys: Keyspace, state: str, result: str
) -> None:
    ended = {result: "1", "finishedOn": NOW, "processedOn": NOW}
    keys.put({"1": record(**COUNTED, **ended), state: Sorted({"1": NOW}), "wait": ["8"]})
    assert await editing.retry(link, "1") == 0
    assert keys.all() == {
        "1": record(**COUNTED),
        "wait": ["1", "8"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", state]],
    }


async def test_lifo_and_priority_are_honoured(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(opts='{"lifo":true}'), "2": record(priority=4), "failed": Sorted({"1": 1, "2": 1})})
    keys.put({"wait": ["8"]})
    assert [await editing.retry(link, job_id) for job_id in ("1", "2")] == [0, 0]
    assert keys.get("wait") == ["8", "1"]
    assert keys.get("prioritized") == Sorted({"2": 4 * 2**32 + 1})


async def test_broken_options_do_not_stand_in_the_way(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(opts="5"), "failed": Sorted({"1": 1})})
    assert await editing.retry(link, "1") == 0
    assert keys.get("wait") == ["1"]


@pytest.mark.parametrize("kept", ["unsuccessful", "failed", "processed"])
async def test_its_parent_counts_on_it_again(link: QueueLink, keys: Keyspace, kept: str) -> None:
    child = link.base + "1"
    known = Sorted({child: 1}) if kept == "unsuccessful" else {child: "1"}
    state = "completed" if kept == "processed" else "failed"
    keys.put({"p": record(), f"p:{kept}": known, "1": record(parentKey=link.base + "p"), state: Sorted({"1": 1})})
    assert await editing.retry(link, "1") == 0
    assert keys.get("p:dependencies") == {child}
    assert keys.get(f"p:{kept}") is None


async def test_what_has_not_finished_stays(link: QueueLink, keys: Keyspace) -> None:
    before = {"1": record(), "wait": ["1"]}
    keys.put(before)
    assert await editing.retry(link, "1") == editing.WRONG_STATE
    assert await editing.retry(link, "2") == editing.MISSING
    assert keys.all() == before


async def test_its_attempts_may_begin_again(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(**COUNTED, stc=2, failedReason="no"), "failed": Sorted({"1": NOW})})
    assert await editing.retry(link, "1", reset_attempts=True) == 0
    assert keys.get("1") == record(stacktrace="[]")

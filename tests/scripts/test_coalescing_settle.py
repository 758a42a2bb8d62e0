"""coalescing.settle: of the jobs of one coalescing key, one waits."""

from typing import Any

import pytest

from stockyard._store.jobs.coalescing import settle, settle_due
from stockyard._store.jobs.leasing import abandon, recover_stalled
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.arrangement import Arrangement
from stockyard.model.coalesce import Coalesce
from stockyard.model.outcome import Delayed, Outcome, Requeued, Retried
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.runs import finish

KEY, DUE = ":coalesced:key:BTC", ":coalesced:due"
BOTH = Sorted({"7": 1, "8": 2})


def job(data: str, replaced: int = 0, mode: str = "", **fields: Any) -> dict[str, str]:
    return record(data=data, opts=f'{{"coalesce":{{"key":"BTC"{mode},"replaced":{replaced}}}}}', **fields)


@pytest.fixture
def keyspace(keyspace: QueueKeyspace) -> QueueKeyspace:
    keyspace.arrangement = Arrangement(coalesce=Coalesce(mode="latest"))
    return keyspace


@pytest.mark.parametrize(
    "outcome", [Retried("boom", (), 0, False), Retried("boom", (), 9, False), Delayed(9), Requeued()]
)
async def test_a_run_that_is_to_be_tried_again_yields_to_its_successor(
    keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome
) -> None:
    keys.put(
        {
            "7": job("1", ats=1),
            "7:lock": "w:1",
            "active": ["7"],
            "8": job("2", 4),
            "wait": ["8"],
            KEY: BOTH,
        }
    )
    assert (await finish(keyspace, ("7", outcome))).codes == [0]
    assert (keys.get("7"), keys.get("8")) == (None, job("2", 5))
    assert (keys.get("wait"), keys.get("delayed"), keys.get("active"), list(keys.get(KEY))) == (
        ["8"],
        None,
        None,
        ["8"],
    )
    assert keys.get(":counts") == {"replaced": "1"}
    assert keys.get("events")[-2:] == [["removed", "7", "waiting"], ["coalesced", "8", "5"]]


async def test_its_payload_is_joined_where_the_mode_says_so(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    merge = ',"mode":"merge"'
    keys.put(
        {
            "7": job('{"a":1,"b":1}', mode=merge),
            "8": job('{"b":2}', 1, merge),
            "wait": ["8", "7"],
            KEY: BOTH,
        }
    )
    await settle(keyspace, ["7"])
    assert (keys.get("7"), keys.get("8")) == (None, job('{"a":1,"b":2}', 2, merge))


async def test_what_cannot_be_joined_any_more_is_counted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    merge = ',"mode":"merge"'
    keys.put(
        {
            "7": job("1", mode=merge),
            "8": job('{"b":2}', mode=merge),
            "wait": ["8", "7"],
            KEY: BOTH,
        }
    )
    await settle(keyspace, ["7"])
    assert (keys.get("8"), keys.get(":counts")) == (job('{"b":2}', 1, merge), {"replaced": "1"})


async def test_one_that_was_retried_after_its_end_is_the_oldest(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"3": job("0"), "8": job("2"), "wait": ["3", "8"], KEY: Sorted({"8": 1})})
    await settle(keyspace, ["3"])
    assert (keys.get("3"), keys.get("8"), keys.get("wait"), list(keys.get(KEY))) == (
        None,
        job("2", 1),
        ["8"],
        ["8"],
    )


async def test_one_without_a_successor_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"7": job("1"), "other": record(), "wait": ["7"], KEY: Sorted({"7": 1})})
    before = keys.get("7")
    await settle(keyspace, ["7", "other", "gone"])
    assert (keys.get("7"), keys.get("wait"), list(keys.get(KEY)), keys.get(":counts")) == (
        before,
        ["7"],
        ["7"],
        None,
    )
    assert keys.get(DUE) == Sorted({"BTC": NOW + 60_000})


async def test_keys_that_are_due_are_looked_at_or_forgotten(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    # As a Node worker leaves them.
    keys.put({"7": job("1", ats=1), "8": job("2"), "wait": ["8"], "delayed": Sorted({"7": NOW * 4096})})
    keys.put(
        {
            KEY: BOTH,
            ":coalesced:key:ETH": Sorted({"9": 1}),
            "9": record(finishedOn=NOW),
            "completed": Sorted({"9": NOW}),
        }
    )
    keys.put({":coalesced:key:SOL": Sorted({"5": 1}), DUE: Sorted({"BTC": NOW, "ETH": NOW, "SOL": NOW + 1})})
    assert await settle_due(keyspace) == 1
    assert (keys.get("7"), keys.get("8"), keys.get(":coalesced:key:ETH")) == (None, job("2", 1), None)
    assert keys.get(DUE) == Sorted({"BTC": NOW + 60_000, "SOL": NOW + 1})
    assert await settle_due(keyspace) == 0


async def test_a_key_with_a_running_job_is_looked_at_soon(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"7": job("1", ats=1), "active": ["7"], KEY: Sorted({"7": 1}), DUE: Sorted({"BTC": NOW - 5})})
    assert await settle_due(keyspace) == 0
    assert keys.get(DUE) == Sorted({"BTC": NOW + 1000})


async def test_many_keys_are_looked_at_part_by_part(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({DUE: Sorted({f"k{number}": NOW for number in range(250)})})
    assert await settle_due(keyspace) == 0
    assert keys.get(DUE) is None


async def test_one_that_a_newer_one_overtook_does_not_bring_the_past_back(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    """The write that ended its run has started the newer one."""
    keys.put({"7": job("1", ats=1), "7:lock": "w:1", "active": ["7"], "8": job("2"), "wait": ["8"]})
    keys.put({KEY: BOTH})
    reply = await finish(keyspace, ("7", Retried("boom", (), 0, False)), take=1)
    assert [record.id for record in reply.records] == ["8"]
    assert (keys.get("7"), keys.get("wait"), keys.get("active")) == (None, None, ["8"])
    assert (list(keys.get(KEY)), keys.get(":counts")) == (["8"], {"replaced": "1"})
    assert keys.get("8")["data"] == "2"


async def test_nor_one_that_is_older_than_what_has_ended(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"7": job("1"), "wait": ["7"], "8": job("2", finishedOn=NOW), KEY: BOTH})
    await settle(keyspace, ["7"])
    assert (keys.get("7"), keys.get("wait"), keys.get(KEY), keys.get(DUE)) == (None, None, None, None)
    assert keys.get(":counts") == {"replaced": "1"}


async def test_unless_it_is_retried_by_hand(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"7": job("1"), "wait": ["7"], "8": job("2", finishedOn=NOW), KEY: BOTH})
    await settle(keyspace, ["7"], by_hand=True)
    assert (keys.get("wait"), keys.get(KEY)) == (["7"], Sorted({"": 2, "7": 3}))


@pytest.mark.parametrize(
    ("mode", "waits", "runs", "left"),
    [
        (',"mode":"merge"', '{"a":1,"b":1}', '{"b":2}', '{"a":1,"b":2}'),
        (',"mode":"merge"', '{"b":1}', '{"b":2}', None),
        (',"mode":"max","field":"b"', '{"b":1}', '{"b":2}', None),
        (',"mode":"max","field":"b"', '{"b":3}', '{"b":2}', '{"b":3}'),
        (',"mode":"max","field":"b"', "[]", '{"b":2}', "[]"),
    ],
)
async def test_what_the_newer_one_lacks_still_runs(
    keyspace: QueueKeyspace, keys: Keyspace, mode: str, waits: str, runs: str, left: str | None
) -> None:
    keys.put({"7": job(waits, mode=mode), "wait": ["7"], "8": job(runs, mode=mode, ats=1), "active": ["8"]})
    keys.put({KEY: BOTH})
    await settle(keyspace, ["7"])
    assert (keys.get("7") or {}).get("data") == left
    assert keys.get("wait") == (None if left is None else ["7"])
    assert keys.get("8")["data"] == runs


@pytest.mark.parametrize("outcome", [Retried("boom", (), 0, True), Requeued()])
async def test_the_call_that_ends_a_run_does_not_take_its_job_again_before_it_yields(
    keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome
) -> None:
    keys.put({"7": job("1", ats=1), "7:lock": "w:1", "active": ["7"], "8": job("2"), "wait": ["8"], KEY: BOTH})
    reply = await finish(keyspace, ("7", outcome), take=1)
    assert (reply.codes, [record.id for record in reply.records]) == ([0], ["8"])
    assert (keys.get("7"), keys.get("active"), keys.get("wait")) == (None, ["8"], None)


@pytest.mark.parametrize("active", [["8", "7"], ["7", "8"]])
@pytest.mark.parametrize("knows_the_worker", [False, True])
async def test_of_two_jobs_of_a_dead_worker_the_older_is_gone_in_the_call_that_puts_them_back(
    keyspace: QueueKeyspace, keys: Keyspace, active: list[str], knows_the_worker: bool
) -> None:
    keys.put({"7": job("1", ats=1), "8": job("2", ats=1), "active": active, "stalled": {"7", "8"}, KEY: BOTH})
    if knows_the_worker:
        keys.put({"7:lock": "dead.w:1", "8:lock": "dead.w:1"})
        await abandon(keyspace, "dead.", max_stalled=1)
    else:
        await recover_stalled(keyspace, interval_ms=5000, max_stalled=1)
    assert (keys.get("7"), keys.get("8")) == (None, job("2", 1, ats=1, stc=1))
    assert (keys.get("wait"), keys.get("active"), list(keys.get(KEY))) == (["8"], None, ["8"])
    assert keys.get("events")[-2:] == [["removed", "7", "waiting"], ["coalesced", "8", "1"]]
    assert keys.get(":counts") == {"replaced": "1"}


async def test_a_job_whose_reply_was_lost_yields_too(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"7": job("1", ats=1), "8": job("2"), "active": ["7"], "wait": ["8"], "stalled": {"7"}, KEY: BOTH})
    keys.put({"stalled-check:unread": {"7": "1:0"}})
    await recover_stalled(keyspace, interval_ms=5000, max_stalled=1)
    assert (keys.get("7"), keys.get("8"), keys.get("wait")) == (None, job("2", 1), ["8"])

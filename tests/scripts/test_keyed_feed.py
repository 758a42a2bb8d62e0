"""keyed.feed: what follows for a key when a job that stood for it has ended."""

from typing import Any

import pytest

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.key_order import KeyOrder
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import ORDERED, PARKING, PASSING, lined_up, standing

DONE = {"completed": Sorted({"1": NOW}), "1": record()}
FAILED = {"failed": Sorted({"1": NOW}), "1": record()}


@pytest.mark.parametrize(
    "ended", [DONE, FAILED, {}], ids=["completed", "failed for good", "removed with its record"]
)
async def test_the_next_of_the_key_is_let_out_of_the_line(
    keyspace: QueueKeyspace, keys: Keyspace, ended: dict[str, Any]
) -> None:
    keys.put({**ended, **standing("A", "1"), **lined_up("A", "2", "3"), "wait": ["9"]})
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert keys.get("wait") == ["2", "9"]
    assert keys.get(":key:A") == Sorted({"3": 3})
    assert keys.get(":keys:heads") == {"2": "A"}
    assert keys.get(":keys:holders") == {"A": '["2"]'}
    assert keys.get(":keys:waiting") == "1"
    assert keys.get("events") == [["waiting", "2"]]
    assert keys.get("marker") == Sorted({"0": 0})


async def test_with_the_last_job_nothing_is_left_of_the_key(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, **standing("A", "1")})
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert keys.all() == DONE


async def test_the_last_of_a_line_takes_the_line_with_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, **standing("A", "1"), **lined_up("A", "2")})
    await keyed.feed(keyspace, ORDERED, ["1"])
    left = [name for name in keys.names() if name.startswith(":key")]
    assert left == [":keys:heads", ":keys:holders", ":keys:waiting"]
    assert keys.get(":keys:waiting") == "0"


@pytest.mark.parametrize(
    "place",
    [
        {"wait": ["1"]},
        {"active": ["1"]},
        {"delayed": Sorted({"1": (NOW + 5000) * 4096})},
        {"prioritized": Sorted({"1": 1})},
        {"waiting-children": Sorted({"1": 1})},
    ],
    ids=lambda place: next(iter(place)),
)
async def test_a_job_that_has_not_ended_holds_its_key(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any]
) -> None:
    keys.put({"1": record(atm=1), **place, **standing("A", "1"), **lined_up("A", "2")})
    before = keys.all()
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert keys.all() == before


async def test_a_job_without_a_key_changes_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, **standing("A", "5"), **lined_up("A", "2"), "5": record(), "wait": ["5"]})
    before = keys.all()
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert keys.all() == before


async def test_a_removed_job_is_passed_over(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, **standing("A", "1"), **lined_up("A", "2", "3", "4")})
    keys.delete("2")
    keys.delete("3")
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert (keys.get("wait"), keys.get(":key:A"), keys.get(":keys:waiting")) == (["4"], None, "0")


async def test_the_next_goes_where_its_priority_and_its_delay_say(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, "7": record(), "8": record(), "completed": Sorted({"1": NOW, "7": NOW, "8": NOW})})
    keys.put({**standing("A", "1"), **lined_up("A", "2", priority=5)})
    keys.put({**standing("B", "7"), **lined_up("B", "3", delay=5000)})
    keys.put({**standing("C", "8"), **lined_up("C", "4", timestamp=NOW - 9000, delay=5000)})
    await keyed.feed(keyspace, ORDERED, ["1", "7", "8"])
    assert keys.get("prioritized") == Sorted({"2": 5 * 2**32 + 1})
    assert keys.get("delayed") == Sorted({"3": (NOW + 5000) * 4096})
    assert keys.get("wait") == ["4"]
    assert keys.get("4")["delay"] == "0"
    assert keys.get("marker") == Sorted({"0": 0, "1": NOW + 5000})


async def test_a_retry_lets_the_next_pass_and_waits_in_the_line(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    retry = {"1": record(atm=1, delay=5000), "delayed": Sorted({"1": (NOW + 5000) * 4096})}
    keys.put({**retry, **standing("A", "1"), **lined_up("A", "2", "3")})
    await keyed.feed(keyspace, PASSING, ["1"])
    assert (keys.get("delayed"), keys.get("wait")) == (None, ["2"])
    assert keys.get(":key:A") == Sorted({"1": NOW + 5000 - 1e15, "3": 3})
    assert keys.get(":keys:waiting") == "2"


@pytest.mark.parametrize(
    ("later", "place"), [(4000, "3"), (5000, "1")], ids=["before it is due", "when it is due"]
)
async def test_a_retry_in_the_line_goes_first_once_it_is_due(
    keyspace: QueueKeyspace, keyspace_at: Any, keys: Keyspace, later: int, place: str
) -> None:
    retry = {"1": record(atm=1, delay=5000), "delayed": Sorted({"1": (NOW + 5000) * 4096})}
    keys.put({**retry, **standing("A", "1"), **lined_up("A", "2", "3")})
    await keyed.feed(keyspace, PASSING, ["1"])
    keys.put({"completed": Sorted({"2": NOW})})
    keys.delete("wait")
    await keyed.feed(keyspace_at(NOW + later), PASSING, ["2"])
    assert keys.get("wait") == [place]


async def test_a_retry_that_is_alone_in_the_line_waits_for_its_time(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    retry = {"1": record(atm=1, delay=5000), "delayed": Sorted({"1": (NOW + 5000) * 4096})}
    keys.put({**retry, **standing("A", "1"), **lined_up("A", "2")})
    await keyed.feed(keyspace, PASSING, ["1"])
    keys.put({"completed": Sorted({"2": NOW})})
    keys.delete("wait")
    await keyed.feed(keyspace, PASSING, ["2"])
    assert keys.get("delayed") == Sorted({"1": (NOW + 5000) * 4096})
    assert (keys.get(":key:A"), keys.get(":keys:heads")) == (None, {"1": "A"})


async def test_a_job_that_was_added_with_a_delay_is_no_retry(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=5000), "delayed": Sorted({"1": (NOW + 5000) * 4096})})
    keys.put({**standing("A", "1"), **lined_up("A", "2")})
    before = keys.all()
    await keyed.feed(keyspace, PASSING, ["1"])
    assert keys.all() == before


async def test_a_failure_for_good_parks_the_key(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**FAILED, **standing("A", "1"), **lined_up("A", "2")})
    await keyed.feed(keyspace, PARKING, ["1"])
    assert keys.get(":keys:parked") == {"A": "1"}
    assert keys.get("events") == [["key", "1", "A", "parked"]]
    assert (keys.get("wait"), keys.get(":key:A")) == (None, Sorted({"2": 2}))
    before = keys.all()
    await keyed.feed(keyspace, PARKING, ["1"])
    assert keys.all() == before


async def test_a_parked_key_stays_when_the_record_of_its_job_goes(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({":keys:parked": {"A": "1"}, **standing("A", "1"), **lined_up("A", "2")})
    before = keys.all()
    await keyed.feed(keyspace, PARKING, ["1"])
    assert keys.all() == before


async def test_a_job_that_is_tried_again_by_another_hand_frees_its_key(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({":keys:parked": {"A": "1"}, "1": record(), **standing("A", "1"), **lined_up("A", "2")})
    keys.put({"wait": ["1"]})
    await keyed.feed(keyspace, PARKING, ["1"])
    assert (keys.get(":keys:parked"), keys.get("wait"), keys.get(":keys:heads")) == (None, ["1"], {"1": "A"})
    keys.put({"completed": Sorted({"1": NOW})})
    keys.delete("wait")
    await keyed.feed(keyspace, PARKING, ["1"])
    assert keys.get("wait") == ["2"]


async def test_a_key_has_places_by_its_weight(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    fair = KeyOrder(is_ordered=False, concurrency=2, weights=(("A", 2),))
    keys.put({**DONE, **standing("A", "1"), **lined_up("A", "2", "3", "4", "5", "6")})
    await keyed.feed(keyspace, fair, ["1"])
    assert keys.get("wait") == ["5", "4", "3", "2"]
    assert keys.get(":keys:holders") == {"A": '["2","3","4","5"]'}


async def test_a_paused_queue_wakes_nobody(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**DONE, **standing("A", "1"), **lined_up("A", "2"), "meta": {"paused": "1"}})
    await keyed.feed(keyspace, ORDERED, ["1"])
    assert (keys.get("wait"), keys.get("marker")) == (["2"], None)


@pytest.mark.parametrize("number", [60, 100, 500])
async def test_what_stands_for_many_keys_is_searched_as_a_table(
    keyspace: QueueKeyspace, keys: Keyspace, number: int
) -> None:
    heads = {str(each): f"K{each}" for each in range(number)}
    holders = {key: f'["{each}"]' for each, key in heads.items()}
    keys.put({":keys:heads": heads, ":keys:holders": holders})
    await keyed.feed(keyspace, ORDERED, ["no head"])
    is_small = number <= 64
    assert [keys.is_list(name) for name in (":keys:heads", ":keys:holders")] == [is_small, is_small]
    assert (keys.get(":keys:heads"), keys.get(":keys:holders")) == (heads, holders)


async def test_a_long_key_is_kept(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    holders = {f"K{each}": f'["{each}"]' for each in range(100)} | {"-" * 65: '["long"]'}
    keys.put({":keys:holders": holders})
    await keyed.feed(keyspace, ORDERED, ["no head"])
    assert keys.get(":keys:holders") == holders

"""reading.page: jobs of one state, a page at a time."""

from typing import Any

import pytest

from stockyard._store.jobs.reading import PagePlace, read_page, read_part
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted, record
from tests.scripts.keyed import lined_up

IN_ORDER = Sorted({job_id: at for at, job_id in enumerate("abcde")})


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ("waiting", {"wait": list("edcba")}),
        ("active", {"active": list("edcba")}),
        *(
            (name, {name: IN_ORDER})
            for name in ("prioritized", "delayed", "completed", "failed", "waiting-children")
        ),
    ],
)
async def test_pages_from_either_end(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, place: dict[str, Any]
) -> None:
    keys.put({job_id: record(name=job_id) for job_id in "abcde"} | place)

    async def page(first: int, size: int, *, newest_first: bool) -> str:
        rows = await read_page(keyspace, [state], first, size, newest_first=newest_first)
        assert [row[0] for row in rows] == [row[18] for row in rows]
        return b"".join(row[18] for row in rows).decode()

    assert await page(0, 2, newest_first=True) == "ed"
    assert await page(2, 2, newest_first=True) == "cb"
    assert await page(4, 6, newest_first=True) == "a"
    assert await page(5, 5, newest_first=True) == ""
    assert await page(0, 2, newest_first=False) == "ab"
    assert await page(4, 6, newest_first=False) == "e"


async def test_ids_without_a_record_are_left_out(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["2", "1"], "2": record()})
    assert [row[18] for row in await read_page(keyspace, ["waiting"], 0, 10, newest_first=True)] == [b"2"]


async def test_a_record_that_is_none_is_left_out(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["2", "1"], "1": record(), "2": ["a list"]})
    assert [row[18] for row in await read_page(keyspace, ["waiting"], 0, 10, newest_first=True)] == [b"1"]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("state", ["waiting", "completed"])
async def test_a_page_is_full_whatever_is_missing(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, newest_first: bool
) -> None:
    ids = "abcdefghij"
    place = (
        {"wait": list(reversed(ids))}
        if state == "waiting"
        else {state: Sorted(dict(zip(ids, range(10), strict=True)))}
    )
    keys.put({job_id: record() for job_id in "aehj"} | {"b": ["a list"]} | place)
    rows = await read_page(keyspace, [state], 0, 3, newest_first=newest_first)
    assert [row[18] for row in rows] == ([b"j", b"h", b"e"] if newest_first else [b"a", b"e", b"h"])


@pytest.mark.parametrize(("newest_first", "order"), [(True, "hgfedcba"), (False, "efghdabc")])
async def test_states_follow_one_another_and_what_version_5_set_aside_waits_longest(
    keyspace: QueueKeyspace, keys: Keyspace, newest_first: bool, order: str
) -> None:
    """Whatever the size of a page, each job is on one."""
    keys.put({each: record() for each in "abcdefgh"})
    keys.put({"paused": list("fe"), "wait": list("hg"), "failed": Sorted({"d": 1})})
    keys.put({"delayed": Sorted({"a": 1, "b": 2, "c": 3})})
    states = ["waiting", "failed", "completed", "delayed"]
    for size in range(1, 10):
        rows = []
        for first in range(0, 9, size):
            rows += await read_page(keyspace, states, first, size, newest_first=newest_first)
        assert b"".join(row[18] for row in rows).decode() == order


def put_lines(keys: Keyspace) -> None:
    """Two jobs that wait, five in two lines, and a delayed one."""
    keys.put({each: record() for each in "abh"} | {"wait": list("ba"), "delayed": Sorted({"h": 1})})
    keys.put({**lined_up("X", "3", "4", "5"), **lined_up("Y", "6", "7")})
    keys.put({":keys:waiting": "5", ":keys:lines": Sorted({"X": 1, "Y": 2})})


@pytest.mark.parametrize(("newest_first", "order"), [(True, "76543bah"), (False, "ab34567h")])
async def test_jobs_in_lines_start_after_all_that_wait(
    keyspace: QueueKeyspace, keys: Keyspace, newest_first: bool, order: str
) -> None:
    put_lines(keys)
    for size in range(1, 10):
        rows = []
        for first in range(0, 9, size):
            rows += await read_page(keyspace, ["waiting", "delayed"], first, size, newest_first=newest_first)
        assert b"".join(row[18] for row in rows).decode() == order


async def test_a_look_part_by_part_comes_to_each_job_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    put_lines(keys)
    for size in range(1, 10):
        ids, place = [], PagePlace()
        while True:
            rows, following = await read_part(keyspace, ["waiting"], place, size, newest_first=True)
            ids += [row.raw_id for row in rows]
            if following is None:
                break
            place = following
        assert b"".join(ids) == b"76543ba"


async def test_many_lines_and_missing_records_take_several_calls(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    numbers = [str(number) for number in range(2500)]
    keys.put({f":key:k{number}": Sorted({number: 1}) for number in numbers})
    keys.put({":keys:lines": Sorted({f"k{number}": int(number) for number in numbers})})
    keys.put({":keys:waiting": "2500", "2499": record(), "7": record(), "a": record()})
    keys.put({"wait": [*(f"gone{number}" for number in range(1500)), "a"]})
    rows = await read_page(keyspace, ["waiting"], 0, 10, newest_first=True)
    assert [row.raw_id for row in rows] == [b"2499", b"7", b"a"]
    rows, following = await read_part(keyspace, ["waiting"], PagePlace(), 10, newest_first=True)
    assert [row.raw_id for row in rows] == [b"2499"]
    assert following == PagePlace(1, 1000, 0)

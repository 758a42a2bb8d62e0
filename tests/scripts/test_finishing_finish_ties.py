"""finishing.finish: what an end means to those that are tied to the job: its deduplication id and its parent."""

import json
from typing import Any

import pytest

from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.outcome import Failed, Outcome
from stockyard.model.retention import Keep, KeepOption
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.runs import DONE, finish, running


@pytest.mark.parametrize("outcome", [DONE, Failed("no", (), 1, None)])
async def test_the_deduplication_id_is_free_again(
    keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome
) -> None:
    keys.put({**running(deid="D"), "de:D": "1"})
    assert (await finish(keyspace, ("1", outcome))).codes == [0]
    assert keys.get("de:D") is None


async def test_a_deduplication_id_of_another_or_with_a_window_stays(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any
) -> None:
    keys.put({**running("1", deid="D"), "de:D": "9"})
    keys.put({**running("2", deid="E"), "de:E": "2"})
    raw.pexpire(keyspace.base + "de:E", 60_000)
    assert (await finish(keyspace, ("1", DONE), ("2", DONE))).codes == [0, 0]
    assert (keys.get("de:D"), keys.get("de:E")) == ("9", "2")


@pytest.mark.parametrize(
    ("options", "fields", "place", "told"),
    [
        ("{}", {}, {"wait": ["4", "8"], "marker": Sorted({"0": 0})}, ["waiting", "4"]),
        ('{"lifo":true}', {}, {"wait": ["8", "4"], "marker": Sorted({"0": 0})}, ["waiting", "4"]),
        (
            '{"priority":2}',
            {"priority": 2},
            {"wait": ["8"], "prioritized": Sorted({"4": 2 * 2**32 + 1}), "pc": "1", "marker": Sorted({"0": 0})},
            ["waiting", "4"],
        ),
        (
            '{"delay":50}',
            {"delay": 50},
            {"wait": ["8"], "delayed": Sorted({"4": (NOW + 50) * 4096}), "marker": Sorted({"1": NOW + 50})},
            ["delayed", "4", str(NOW + 50)],
        ),
        ("{broken", {}, {"wait": ["4", "8"], "marker": Sorted({"0": 0})}, ["waiting", "4"]),
    ],
)
async def test_the_last_kept_payload_is_queued(
    keyspace: QueueKeyspace,
    keys: Keyspace,
    options: str,
    fields: dict[str, int],
    place: dict[str, Any],
    told: list[str],
) -> None:
    kept = {"name": "next", "data": "7", "opts": options, "jid": "4"}
    keys.put({**running(deid="D"), "de:D": "1", "dn:D": kept, "id": "4", "wait": ["8"]})
    await finish(keyspace, ("1", DONE))
    found = keys.all()
    del found["1"]
    assert found == {
        "4": record(name="next", data="7", opts=options, deid="D", **fields),
        "de:D": "4",
        "id": "5",
        "completed": Sorted({"1": NOW}),
        "events": [["added", "4", "next"], told, ["completed", "1", DONE.value, "active"]],
        **place,
    }


def child_of(keyspace: QueueKeyspace, job_id: str, **flags: bool) -> dict[str, Any]:
    """Keys of a running child of ``p``."""
    link = {"id": "p", "queueKey": keyspace.base[:-1], **flags}
    return running(job_id, parentKey=keyspace.base + "p", parent=json.dumps(link))


RELEASED = {"wait": ["p"], "marker": Sorted({"0": 0})}
WAITS = {"waiting-children": Sorted({"p": 1})}


@pytest.mark.parametrize(
    ("flag", "pending", "more", "place"),
    [
        ("none", {"1", "2"}, {}, WAITS),
        ("fpof", {"2"}, {"p:unsuccessful": Sorted({"1": NOW})}, RELEASED),
        ("cpof", {"2"}, {"p:failed": {"1": "no"}}, RELEASED),
        ("idof", {"2"}, {"p:failed": {"1": "no"}}, WAITS),
        ("rdof", {"2"}, {}, WAITS),
    ],
)
async def test_a_failed_child_tells_its_parent(
    keyspace: QueueKeyspace,
    keys: Keyspace,
    flag: str,
    pending: set[str],
    more: dict[str, Any],
    place: dict[str, Any],
) -> None:
    child = keyspace.base + "1"
    keys.put({"p": record(), "p:dependencies": {child, keyspace.base + "2"}, **WAITS})
    keys.put(child_of(keyspace, "1", **({} if flag == "none" else {flag: True})))
    await finish(keyspace, ("1", Failed("no", (), 5, None)))
    found = keys.all()
    del found["1"]
    assert found.pop("events")[-2 if place is WAITS else -1] == ["failed", "1", "no", "active"]
    expected = {"p": record(defa=f"child {child} failed") if flag == "fpof" else record(), **place}
    expected["p:dependencies"] = {keyspace.base + each for each in pending}
    expected["failed"] = Sorted({"1": NOW})
    for name, value in more.items():
        expected[name] = type(value)({keyspace.base + each: what for each, what in value.items()})
    assert found == expected


@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({}, RELEASED, ["waiting", "p", "waiting-children"]),
        (
            {"priority": 2},
            {"prioritized": Sorted({"p": 2 * 2**32 + 1}), "pc": "1", "marker": Sorted({"0": 0})},
            ["waiting", "p", "waiting-children"],
        ),
        (
            {"delay": 50},
            {"delayed": Sorted({"p": (NOW + 50) * 4096}), "marker": Sorted({"1": NOW + 50})},
            ["delayed", "p", str(NOW + 50)],
        ),
    ],
)
async def test_the_last_child_releases_its_parent(
    keyspace: QueueKeyspace, keys: Keyspace, fields: dict[str, int], place: dict[str, Any], told: list[str]
) -> None:
    child = keyspace.base + "1"
    keys.put({"p": record(**fields), "p:dependencies": {child}, **WAITS, **child_of(keyspace, "1")})
    await finish(keyspace, ("1", DONE))
    found = keys.all()
    del found["1"]
    assert found == {
        "p": record(**fields),
        "p:processed": {child: DONE.value},
        "completed": Sorted({"1": NOW}),
        "events": found["events"],
        **place,
    }
    assert found["events"][:2] == [told, ["completed", "1", DONE.value, "active"]]


async def test_a_delayed_parent_of_a_failed_child_fails_at_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"p": record(delay=9), "p:dependencies": {keyspace.base + "1"}, "delayed": Sorted({"p": 1e15})})
    keys.put(child_of(keyspace, "1", fpof=True))
    await finish(keyspace, ("1", Failed("no", (), 1, None)))
    assert keys.get("p") == record(delay=0, defa=f"child {keyspace.base}1 failed")
    assert (keys.get("wait"), keys.get("delayed"), keys.get("waiting-children")) == (["p"], None, None)


@pytest.mark.parametrize(("parent", "place"), [({}, {}), ({"p": record()}, {"failed": Sorted({"p": 1})})])
async def test_a_parent_that_is_gone_or_failed_is_not_failed_again(
    keyspace: QueueKeyspace, keys: Keyspace, parent: dict[str, Any], place: dict[str, Any]
) -> None:
    keys.put({**parent, "p:dependencies": {keyspace.base + "1"}, **place, **child_of(keyspace, "1", fpof=True)})
    assert (await finish(keyspace, ("1", Failed("no", (), 1, None)))).codes == [0]
    assert keys.get("p") == parent.get("p")


async def test_a_child_that_its_parent_does_not_know_tells_nothing(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"p": record(), **WAITS, **child_of(keyspace, "1"), "p:dependencies": {"x"}})
    keys.put(child_of(keyspace, "2", cpof=True))
    await finish(keyspace, ("1", DONE), ("2", Failed("no", (), 1, None)))
    assert (keys.get("p:processed"), keys.get("p:failed"), keys.get("waiting-children")) == (None, None, {"p": 1})


@pytest.mark.parametrize("keep", [True, Keep(age=5)])
async def test_a_child_whose_record_goes_is_not_waited_for(
    keyspace: QueueKeyspace, keys: Keyspace, keep: KeepOption
) -> None:
    """Removed at once, or swept out as old by the end of another."""
    keys.put({"p": record(), "p:dependencies": {keyspace.base + "1"}, **WAITS})
    if keep is True:
        keys.put(child_of(keyspace, "1"))
        await finish(keyspace, ("1", Failed("no", (), 1, keep)))
    else:
        old = child_of(keyspace, "1")
        keys.put({"1": old["1"], "failed": Sorted({"1": NOW - 9000}), **running("2")})
        await finish(keyspace, ("2", Failed("no", (), 1, keep)))
    assert (keys.get("1"), keys.get("wait"), keys.get("p:dependencies")) == (None, ["p"], None)

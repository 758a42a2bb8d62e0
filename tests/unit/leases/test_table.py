"""The leases in memory that a worker shares with its lease child."""

import os

import pytest

from stockyard import ConfigError
from stockyard.leases.table import CAPACITY, Lease, LeaseTable


def lease(number: int, lock_ms: int = 30_000) -> Lease:
    return Lease("portfolio:high_priority", f"job-{number}", f"token:{number}", number, lock_ms)


def test_a_second_view_sees_what_is_held_and_not_what_was_let_go() -> None:
    table = LeaseTable.create()
    view = LeaseTable(os.dup(table.descriptor))
    assert list(view) == []
    slots = [table.hold(lease(number)) for number in range(5)]
    assert list(view) == [lease(number) for number in range(5)]
    table.release(slots[1])
    table.release(slots[3])
    assert [each.starts for each in view] == [0, 2, 4]
    assert table.hold(lease(9)) in (slots[1], slots[3])
    assert sorted(each.starts for each in view) == [0, 2, 4, 9]
    table.close()
    table.close()
    view.close()


@pytest.mark.parametrize("raw", [b"\xff\xfe1", "Ærø:2".encode(), b"nul\0", b""])
def test_an_id_may_be_any_bytes(raw: bytes) -> None:
    table = LeaseTable.create()
    held = Lease("q:ø", raw.decode(errors="surrogateescape"), "token:ø", 2**40, 2**40)
    table.hold(held)
    assert list(table) == [held]
    assert Lease.unpacked(held.packed()) == held
    table.close()


def test_the_shortest_lease_ever_is_remembered() -> None:
    table = LeaseTable.create()
    view = LeaseTable(os.dup(table.descriptor))
    assert view.shortest_ms == 0
    seen = []
    for length in (30_000, 500, 5_000):
        table.release(table.hold(lease(1, length)))
        seen.append(view.shortest_ms)
    assert seen == [30_000, 500, 500]
    table.close()
    view.close()


def test_a_full_table_and_an_endless_id_are_refused() -> None:
    table = LeaseTable.create()
    with pytest.raises(ConfigError, match="is too long"):
        table.hold(Lease("q", "x" * 2000, "t", 1, 1000))
    for number in range(CAPACITY):
        table.hold(lease(number))
    with pytest.raises(ConfigError, match="start more processes"):
        table.hold(lease(0))
    table.release(7)
    assert table.hold(lease(0)) == 7
    table.close()


def test_a_system_without_files_in_memory_has_an_unlinked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    table = LeaseTable.create()
    view = LeaseTable(os.dup(table.descriptor))
    table.hold(lease(1))
    assert list(view) == [lease(1)]
    assert not os.get_inheritable(table.descriptor)
    table.close()
    view.close()

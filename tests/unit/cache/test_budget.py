"""How much caches may take, by what the server says of its memory."""

import pytest

from stockyard._store.caches.caching import Memory
from stockyard.cache.budget import DEFAULT, allowed

MB = 2**20


@pytest.mark.parametrize(
    ("chosen", "memory", "expected"),
    [
        (None, Memory(10 * MB, 0, 0), DEFAULT),
        (None, Memory(None, None, 0), DEFAULT),
        (None, Memory(10 * MB, 100 * MB, 0), 25 * MB),
        (40 * MB, Memory(10 * MB, 100 * MB, 0), 40 * MB),
        (40 * MB, Memory(10 * MB, 0, 0), 40 * MB),
        # Others left 5 MB below nine tenths.
        (None, Memory(85 * MB, 100 * MB, 10 * MB), 15 * MB),
        # They took 5 MB more than nine tenths.
        (None, Memory(95 * MB, 100 * MB, 20 * MB), 15 * MB),
        (None, Memory(120 * MB, 100 * MB, 20 * MB), 0),
    ],
)
def test_caches_take_what_others_leave_them(chosen: int | None, memory: Memory, expected: int) -> None:
    assert allowed(chosen, memory) == expected

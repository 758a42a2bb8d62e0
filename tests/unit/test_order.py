"""Long tests begin before the others, on all workers alike."""

import pytest

from tests.support.order import long_first


def is_long(test: int) -> bool:
    return test >= 100


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_worker_s_share_begins_with_long_tests(workers: int) -> None:
    tests = [*range(90), *range(100, 106), *range(90, 100)]
    ordered = long_first(tests, is_long, workers)
    assert sorted(ordered) == sorted(tests)
    start = 0
    for worker in range(workers):
        assert is_long(ordered[start])
        # As pytest-xdist deals them out.
        start += (len(tests) - start) // (workers - worker)
    assert start == len(tests)


def test_the_others_keep_their_order() -> None:
    ordered = long_first([3, 100, 1, 2, 101], is_long, 2)
    assert [test for test in ordered if not is_long(test)] == [3, 1, 2]


@pytest.mark.parametrize("tests", [[], [100], [1], [100, 101, 102, 103, 104, 105], [1, 100]])
def test_none_is_lost_where_they_are_few(tests: list[int]) -> None:
    assert sorted(long_first(tests, is_long, 4)) == sorted(tests)

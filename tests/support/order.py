"""The order in which tests are dealt out to several workers: long ones first."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def long_first(tests: Sequence[T], is_long: Callable[[T], bool], workers: int) -> list[T]:
    """Return the tests with the long ones at the beginning of each worker's share.

    pytest-xdist gives each worker a run of neighbours, and later moves tests from the ends of the longest queues
    to the workers that have none: a long test near the end is run alone, when all others are done.
    """
    long = [test for test in tests if is_long(test)]
    others = iter([test for test in tests if not is_long(test)])
    ordered: list[T] = []
    for worker in range(workers):
        share = (len(tests) - len(ordered)) // (workers - worker)
        own = long[worker::workers]
        ordered += [*own, *islice(others, max(0, share - len(own)))]
    return [*ordered, *others]

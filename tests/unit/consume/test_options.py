"""The options of a worker that come before those of its queue's declaration."""

from typing import Any

import pytest

from stockyard import InvalidOption, Keep, Rate, Topology
from stockyard.consume.options import WorkerOptions, WorkerSpec


def test_a_worker_without_them_goes_by_the_declaration_itself() -> None:
    spec = Topology("shop").queue("mail", rate="5/s", max_stalled=2)
    assert WorkerSpec.of(WorkerOptions(concurrency=3, rate=None)).over(spec) is spec


def test_what_a_worker_was_given_comes_first() -> None:
    spec = Topology("shop").queue("mail", attempts=3, rate="5/s")
    options = WorkerOptions(
        rate="1/m", max_stalled=0, remove_on_complete=True, remove_on_fail=Keep.within("1h", 10)
    )
    own = WorkerSpec.of(options).over(spec)
    assert (own.rate, own.max_stalled) == (Rate.of("1/m"), 0)
    assert (own.defaults.remove_on_complete, own.defaults.remove_on_fail) == (True, Keep.within("1h", 10))
    assert (own.defaults.attempts, own.router, own.name) == (3, spec.router, "mail")
    assert spec.rate == Rate.of("5/s")


@pytest.mark.parametrize(
    "options", [{"rate": "fast"}, {"max_stalled": -1}, {"remove_on_complete": "soon"}, {"remove_on_fail": -2}]
)
def test_they_are_checked(options: Any) -> None:
    with pytest.raises(InvalidOption):
        WorkerSpec.of(options)

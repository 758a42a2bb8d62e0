"""The growth of a counter over the last minutes."""

from stockyard.observe.alerts.recent import RecentIncrease


def test_only_growth_within_the_window_counts() -> None:
    recent = RecentIncrease(window=900)
    assert recent.add(7, now=0) == 0
    assert recent.add(8, now=10) == 1
    assert recent.add(10, now=20) == 3
    assert recent.add(10, now=910) == 3
    assert recent.add(10, now=911) == 2
    assert recent.add(10, now=921) == 0


def test_a_counter_that_was_set_back_or_is_not_told_counts_nothing() -> None:
    recent = RecentIncrease()
    assert recent.add(None, now=0) == 0
    assert recent.add(5, now=1) == 0
    assert recent.add(0, now=2) == 0
    assert recent.add(None, now=3) == 0
    assert recent.add(2, now=4) == 2

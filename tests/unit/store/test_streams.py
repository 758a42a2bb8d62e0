"""Where a reader of a stream stands, and what it can tell is missing."""

import pytest

from stockyard._store.jobs.streams import BEGINNING, Entry, Position, StreamGap, View, advance


def view(first: int, last: int, *, after: int = 0, added: int | None = -1, batch: int = 100) -> View:
    """A stream of the entries `first` to `last`, as one call saw it that had read up to `after`."""
    entries = [Entry(f"{at}-0", "x", {}) for at in range(first, last + 1) if at > after][:batch]
    there = f"{first}-0" if first <= last else None
    return View(entries, last if added == -1 else added, last - first + 1, there, f"{last}-0")


def test_what_is_read_is_counted() -> None:
    position, gap = advance(Position("3-0", 3), view(1, 5, after=3))
    assert (position, gap) == (Position("5-0", 5), None)
    assert advance(position, view(1, 5, after=5)) == (position, None)


def test_a_stream_cut_up_to_the_position_lost_nothing() -> None:
    assert advance(Position("3-0", 3), view(4, 6, after=3)) == (Position("6-0", 6), None)
    assert advance(Position("3-0", 3), view(4, 3, after=3)) == (Position("3-0", 3), None)


def test_a_stream_cut_behind_the_position_has_a_hole() -> None:
    assert advance(Position("3-0", 3), view(5, 6, after=3)) == (Position("6-0", 6), StreamGap("3-0", "5-0"))


def test_entries_that_are_all_gone_are_a_hole_without_an_end() -> None:
    assert advance(Position("3-0", 3), view(7, 6, after=3)) == (Position("6-0", 6), StreamGap("3-0", None))


def test_after_a_hole_it_is_counted_on() -> None:
    position, _ = advance(Position("3-0", 3), view(5, 9, after=3, batch=2))
    assert position == Position("6-0", 6)
    assert advance(position, view(7, 9, after=6)) == (Position("9-0", 9), None)
    assert advance(position, view(8, 9, after=6)) == (Position("9-0", 9), StreamGap("6-0", "8-0"))


def test_the_beginning_of_a_stream_that_was_cut_before_is_no_hole() -> None:
    assert advance(Position(BEGINNING), view(50, 60)) == (Position("60-0", 60), None)


def test_the_beginning_of_a_stream_that_did_not_exist_is_known() -> None:
    position, gap = advance(Position(BEGINNING), View(exists=False))
    assert (position, gap) == (Position(BEGINNING, 0), None)
    assert advance(position, view(1, 2)) == (Position("2-0", 2), None)
    assert advance(position, view(2, 2)) == (Position("2-0", 2), StreamGap(BEGINNING, "2-0"))


def test_a_resumed_position_is_counted_once_it_caught_up() -> None:
    position, gap = advance(Position("3-0"), view(2, 9, after=3, batch=2))
    assert (position, gap) == (Position("5-0", None), None)
    position, gap = advance(position, view(4, 9, after=5))
    assert (position, gap) == (Position("9-0", 9), None)
    assert advance(position, view(10, 11, after=9)) == (Position("11-0", 11), None)


def test_a_resumed_position_that_is_gone_counts_as_a_hole() -> None:
    assert advance(Position("3-0"), view(4, 5, after=3)) == (Position("5-0", 5), StreamGap("3-0", "4-0"))


def test_a_resumed_position_at_the_end_of_an_emptied_stream_is_none() -> None:
    assert advance(Position("6-0"), view(7, 6)) == (Position("6-0", 6), None)


@pytest.mark.parametrize("number", [None, 3])
def test_a_stream_that_is_gone_is_told_once(number: int | None) -> None:
    position, gap = advance(Position("3-0", number), View(exists=False))
    assert (position, gap) == (Position(BEGINNING, 0), StreamGap("3-0", None))
    assert advance(position, View(exists=False)) == (position, None)


@pytest.mark.parametrize("number", [None, 8])
def test_a_new_stream_with_lower_ids_is_read_from_its_beginning(number: int | None) -> None:
    position, gap = advance(Position("8-0", number), view(2, 5, after=8, added=4))
    assert (position, gap) == (Position(BEGINNING, 0), StreamGap("8-0", "2-0"))
    assert advance(position, view(2, 5, added=4)) == (Position("5-0", 4), None)


def test_a_new_stream_with_higher_ids_is_known_by_its_count() -> None:
    assert advance(Position("3-0", 3), view(7, 9, after=3, added=3)) == (
        Position("9-0", 3),
        StreamGap("3-0", "7-0"),
    )


@pytest.mark.parametrize(
    ("last", "number", "gap"),
    [("3-0", None, None), ("2-0", None, StreamGap("2-0", "3-0")), (BEGINNING, None, None), (BEGINNING, 0, None)],
)
def test_a_server_that_does_not_count_is_judged_by_the_first_id(
    last: str, number: int | None, gap: StreamGap | None
) -> None:
    after = int(last.partition("-")[0])
    position, found = advance(Position(last, number), view(3, 5, after=after, added=None))
    assert (position, found) == (Position("5-0", None), gap)


def test_ids_are_numbers() -> None:
    small = View([Entry("10-1", "x", {})], 5, 1, "10-1", "10-1")
    assert advance(Position("9-12", 4), small) == (Position("10-1", 5), None)
    assert advance(Position("10-0", 4), small) == (Position("10-1", 5), None)

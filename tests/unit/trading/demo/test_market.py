"""A replay without an end goes through the history again and again, each time on later days."""

from datetime import timedelta

from stockyard.trading.demo.market import chunk_of, history

FB = history("FB")
LAST = len(FB) - 1


def test_the_history_ends_unless_it_begins_again() -> None:
    assert chunk_of("FB", 0, 10, is_endless=True) == chunk_of("FB", 0, 10) == FB[:10]
    assert chunk_of("FB", 1, len(FB)) == ()
    again = chunk_of("FB", 1, len(FB), is_endless=True)
    assert [candle.close for candle in again] == [candle.close for candle in FB]
    assert again[0].day == FB[-1].day + timedelta(days=1)
    days = [candle.day for number in range(3) for candle in chunk_of("FB", number, len(FB), is_endless=True)]
    assert days == sorted(set(days))


def test_a_chunk_may_lie_across_the_seam() -> None:
    size = LAST // 2
    seam = chunk_of("FB", 2, size, is_endless=True)
    assert len(seam) == size
    assert seam[: len(FB) - 2 * size] == FB[2 * size :]
    assert seam[-1].day > FB[-1].day


def test_the_calendar_ends() -> None:
    assert chunk_of("FB", 1_000_000, 100, is_endless=True) == ()

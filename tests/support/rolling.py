"""What a rolling window held."""

from collections.abc import Sequence


def most_used(calls: Sequence[tuple[int, int]], window: int) -> int:
    """What was used in the fullest window.

    Args:
        calls: when each was, and what it cost, in the order of time.
        window: its length, in the unit of these times.
    """
    first, used, most = 0, 0, 0
    for at, cost in calls:
        used += cost
        while calls[first][0] <= at - window:
            used -= calls[first][1]
            first += 1
        most = max(most, used)
    return most

"""A clock that a test moves: what waits for its Apps' times comes due, as if this time had passed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.clock import SteppedClock
from stockyard.model.duration import Duration, milliseconds

if TYPE_CHECKING:
    from stockyard.testing.followers import Follower


class ManualClock(SteppedClock):
    """A clock that stands still until the test moves it, for the Apps that are made with it.

    It moves delays, backoff, schedules, expiry, retention by age, leases, rate limits, limits of exchanges,
    deduplication, deadlines of effects, and timeouts of handlers in the loop. It does not move what is of real
    time: timeouts of calls and of ``wait_for_result``, timeouts of handlers in threads and child processes, near
    caches, durable channels, and ``asyncio.sleep`` in handlers.

    Args:
        now: the first reading: a datetime with a zone, or milliseconds since the epoch. Defaults to the machine's
            time.

    Raises:
        InvalidOption: ``now`` is none of these.

    Example:
        clock = ManualClock(datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
        async with make_app(shop, url, prefix=prefix, clock=clock) as app:
            await app.queue("mail").add("reminder", delay="7d")
            await clock.advance("7d")
    """

    def __init__(self, now: datetime | int | None = None) -> None:
        super().__init__(None if now is None else _moment(now))
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Move what waits for an App's times from now on, too; ``make_app`` calls it."""
        self._followers.append(follower)

    async def advance(self, by: Duration) -> None:
        """Move the clock forward, and return when running workers have done what came due.

        Where workers run, time passes in steps, from one delayed job, scheduled run or end of a rate limit to the
        next: a schedule of every minute runs sixty times in an hour. Handlers that this starts are waited for, 5 s
        of real time at most; those that ran before are not.

        Args:
            by: how far.

        Raises:
            InvalidOption: it is no duration.
            ServerError: the server did not answer.
        """
        await self.move_to(self.now + milliseconds(by, option="by"))

    async def move_to(self, moment: datetime | int) -> None:
        """Move the clock to a time that is to come, as ``advance``.

        Args:
            moment: a datetime with a zone, or milliseconds since the epoch.

        Raises:
            InvalidOption: it is neither, or has passed by this clock.
            ServerError: the server did not answer.
        """
        target = _moment(moment)
        if target < self.now:
            raise InvalidOption(
                f"moment is {self.now - target} ms before what the clock shows: it moves forward only"
            )
        followers = list(self._followers)
        for follower in followers:
            follower.begin()
        # What could have run before the clock moves does so first, and workers know what they wait for.
        await self._move(followers, self.now)
        while self.now < target:
            stops = [stop for follower in followers if (stop := await follower.next_stop()) is not None]
            stop = min([max(stop, self.now) for stop in stops if stop <= target], default=target)
            await self._move(followers, stop)

    async def _move(self, followers: list[Follower], moment: int) -> None:
        passed = moment - self.now
        workers = [worker for follower in followers for worker in follower.workers]
        aged: set[tuple[str, str]] = set()
        for follower in followers:
            if passed and follower.place not in aged:
                aged.add(follower.place)
                await follower.age_keys(passed, workers)
        # Behind that, so that no worker writes by the new time what would be aged as well.
        self.now = moment
        for follower in followers:
            await follower.time_passed(passed)
        for follower in followers:
            await follower.settle()


def _moment(value: datetime | int) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidOption(f"a moment needs a time zone, such as tzinfo=UTC; got {value!r}")
        return round(value.timestamp() * 1000)
    return checks.whole("moment", value)

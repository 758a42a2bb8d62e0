"""How the places of a worker are divided among the shards of its queue."""

from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest

from stockyard.consume.take.shares import LONG_TURN_SECONDS, MANY, TURN_SECONDS, Shares


@dataclass(eq=False)
class Shard:
    """A shard with so many jobs that wait, as its fetcher sees it."""

    waiting: int = 0
    in_hand: int = 0
    reserved: int = 0
    is_away: bool = False
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1

    @property
    def has_plenty(self) -> bool:
        return self.waiting > 0

    @property
    def wants(self) -> bool:
        return self.waiting > 0 and not self.is_away


def shared(*shards: Shard) -> Shares:
    shares = Shares()
    for shard in shards:
        shares.join(shard)
    return shares


def take(shares: Shares, shard: Shard, places: int, now: float = 0.0) -> int:
    """Take what may be taken, as a fetcher does that has jobs."""
    taken = max(min(shares.room(shard, places), shard.waiting), 0)
    if taken:
        shares.took(shard, now, taken)
        shard.waiting -= taken
        shard.in_hand += taken
    return taken


def test_a_shard_alone_has_all() -> None:
    only, empty = Shard(100), Shard()
    shares = shared(empty, only)
    assert (shares.room(only, 8), shares.room(empty, 8)) == (8, 0)
    only.in_hand = 8
    assert (shares.room(only, 8), shares.free(8)) == (0, 0)


def test_a_look_of_a_shard_takes_a_share_alone() -> None:
    looking, other = Shard(), Shard()
    shares = shared(looking, other)
    assert (shares.room(looking, 10), shares.room(looking, 1)) == (5, 1)


def test_a_turn_is_as_long_as_it_may_be() -> None:
    first, second = Shard(1000), Shard(1000)
    shares = shared(first, second)
    assert take(shares, first, 10, now=1.0) == 10
    first.in_hand = 4
    assert (take(shares, second, 10, now=1.01), take(shares, first, 10, now=1.01)) == (0, 6)
    first.in_hand = 0
    # This one is the last of its turn.
    assert take(shares, first, 10, now=1.0 + TURN_SECONDS) == 10
    first.in_hand = 9
    assert (take(shares, first, 10, now=1.1), take(shares, second, 10, now=1.1)) == (0, 1)


def test_a_turn_is_longer_where_calls_have_room_for_many() -> None:
    first, second = Shard(1000), Shard(1000)
    shares = shared(first, second)
    for now in (0.0, 2 * TURN_SECONDS, LONG_TURN_SECONDS):
        # The last of its turn comes when the longer time is over.
        assert (take(shares, second, MANY, now), take(shares, first, MANY, now)) == (0, MANY)
        first.in_hand = 0
    assert (take(shares, first, MANY, LONG_TURN_SECONDS), take(shares, second, MANY, LONG_TURN_SECONDS)) == (
        0,
        MANY,
    )


def test_one_that_has_nothing_left_or_is_away_passes_its_turn_on() -> None:
    first, second, third = Shard(3), Shard(100, is_away=True), Shard(100)
    shares = shared(first, second, third)
    assert take(shares, first, 10) == 3
    assert (take(shares, second, 10), take(shares, third, 10)) == (0, 7)
    # Whoever had a turn is behind those who have not.
    first.waiting, third.in_hand, second.is_away = 5, 0, False
    assert (take(shares, first, 10), take(shares, second, 10)) == (0, 7)


@pytest.mark.parametrize("places", [1, 2, 7])
def test_long_jobs_come_from_one_shard_after_the_other(places: int) -> None:
    shards = [Shard(1000) for _ in range(4)]
    shares, taken, now = shared(*shards), Counter[int](), 0.0
    for _ in range(400):
        now += 2 * TURN_SECONDS
        for at, shard in enumerate(shards):
            taken[at] += take(shares, shard, places, now)
            shard.in_hand = 0
    assert max(taken.values()) - min(taken.values()) <= places


def test_no_place_is_free_while_a_shard_has_jobs() -> None:
    random = Random(1)
    for _ in range(300):
        shards = [Shard(random.choice((0, 0, 1, 5, 50))) for _ in range(random.randint(2, 6))]
        shares, places, now = shared(*shards), random.randint(1, 12), 0.0
        for _ in range(60):
            now += random.choice((0.0, 0.01, 0.05))
            random.shuffle(order := list(shards))
            # As long as one of them may take some, it does.
            while any(take(shares, shard, places, now) for shard in order):
                pass
            assert shares.free(places) >= 0
            assert shares.free(places) == 0 or not any(shard.waiting for shard in shards)
            for shard in shards:
                shard.in_hand -= random.randint(0, shard.in_hand)
                shard.waiting += random.choice((0, 0, 3))


def test_the_one_whose_turn_it_is_is_woken() -> None:
    shards = [Shard(), Shard(5), Shard(5)]
    shares = shared(*shards)
    shares.wake()
    assert [shard.woken for shard in shards] == [0, 1, 0]
    for shard in shards:
        shard.waiting = 0
    shares.wake()
    assert [shard.woken for shard in shards] == [1, 2, 1]


def test_places_kept_for_calls_have_no_jobs() -> None:
    shares = shared(Shard(in_hand=3, reserved=2), Shard(in_hand=1))
    assert (shares.free(5), shares.idle(5), shares.idle(2)) == (1, 3, 0)


def test_one_that_has_left_has_no_turn() -> None:
    leaves, stays = Shard(100), Shard(100)
    shares = shared(leaves, stays)
    take(shares, leaves, 2)
    shares.leave(leaves)
    assert take(shares, stays, 6) == 6

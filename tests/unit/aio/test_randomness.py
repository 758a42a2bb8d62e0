"""Random numbers: in their range, never the same in a forked child, none of the program's own generator."""

import os
import random

from stockyard._aio.randomness import jitter, random_number


def test_they_are_in_their_range_and_never_the_same() -> None:
    drawn = [random_number() for _ in range(1000)]
    assert all(0 <= each < 1 for each in drawn)
    assert len(set(drawn)) == 1000
    assert 0.4 < sum(drawn) / 1000 < 0.6
    assert all(1 <= jitter(2) < 3 for _ in range(100))


def test_a_forked_child_draws_its_own() -> None:
    random_number()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr([random_number() for _ in range(10)]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 10_000).decode()
    os.close(reading)
    os.close(writing)
    assert theirs != repr([random_number() for _ in range(10)])


def test_the_programs_own_generator_is_left_alone() -> None:
    random.seed(1)
    before = random.getstate()
    random_number()
    assert random.getstate() == before

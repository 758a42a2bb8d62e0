"""Copies in the process, whatever order answers and words of writes come in."""

import time

from stockyard.cache.near import NearCache


def near(most: int = 100) -> NearCache:
    """Copies that are made from now on."""
    made = NearCache(3600, most)
    made.turn_on()
    return made


def keep(copies: NearCache, key: str, value: object = 1, *tags: str, seconds: float = 60) -> None:
    """Read and keep an entry."""
    copies.keep(key, copies.begin(key), value, tags, seconds)


def values(copies: NearCache) -> dict[str, object]:
    return {key: each.value for key, each in copies.kept.items()}


def test_what_was_read_is_kept_until_it_is_written() -> None:
    copies = near()
    keep(copies, "a")
    keep(copies, "b", 2)
    copies.forget("a")
    assert values(copies) == {"b": 2}


def test_an_answer_that_comes_after_the_word_of_a_write_is_not_kept() -> None:
    copies = near()
    ticket = copies.begin("a")
    copies.forget("a")
    copies.keep("a", ticket, "old", (), 60)
    assert values(copies) == {}
    keep(copies, "a", "new")
    assert values(copies) == {"a": "new"}


def test_of_two_reads_the_one_that_began_later_is_kept() -> None:
    copies = near()
    first = copies.begin("a")
    second = copies.begin("a")
    copies.keep("a", second, "second", (), 60)
    copies.keep("a", first, "first", (), 60)
    assert values(copies) == {"a": "second"}


def test_a_tag_ends_its_copies_and_the_reads_under_way() -> None:
    copies = near()
    keep(copies, "a", 1, "x", "y")
    keep(copies, "b", 2, "y")
    keep(copies, "c", 3)
    ticket = copies.begin("d")
    copies.forget_tag("x")
    copies.keep("d", ticket, 4, ("x",), 60)
    assert values(copies) == {"b": 2, "c": 3}
    copies.forget_tag("y")
    copies.forget_tag("unknown")
    assert values(copies) == {"c": 3}


def test_off_nothing_is_kept_and_nothing_that_was_begun_before_is_kept_later() -> None:
    copies = near()
    keep(copies, "a", 1, "x")
    ticket = copies.begin("b")
    copies.turn_off()
    assert (values(copies), copies.is_on, copies.begin("a")) == ({}, False, None)
    copies.keep("a", None, 1, (), 60)
    copies.turn_on()
    copies.keep("b", ticket, 2, (), 60)
    assert values(copies) == {}


def test_the_oldest_leaves_for_a_new_one() -> None:
    copies = near(2)
    for key in "abca":
        keep(copies, key, key, "x")
    assert values(copies) == {"c": "c", "a": "a"}
    copies.forget_tag("x")
    assert values(copies) == {}


def test_a_copy_is_kept_no_longer_than_its_entry_or_the_cache_allows() -> None:
    copies = NearCache(10, 5)
    copies.turn_on()
    now = time.monotonic()
    keep(copies, "a", seconds=3)
    keep(copies, "b", seconds=100)
    assert 2 < copies.kept["a"].until - now < 4
    assert 9 < copies.kept["b"].until - now < 11


def test_a_read_that_found_nothing_leaves_no_trace() -> None:
    copies = near()
    copies.end("a", copies.begin("a"))
    assert copies._reading == {}

"""The spelling of keys, with and without the hash tags of a cluster."""

import binascii

import pytest

from stockyard.model.naming import Naming, Slots, hash_tag

QUEUES = ["mail", "execution:order_submission", "execution:fills", "portfolio:eu:high", "a", "a:b"]


@pytest.mark.parametrize(
    ("slots", "queue", "place", "node"),
    [
        (None, "mail", "bull:mail", ("bull", "mail")),
        (None, "execution:orders", "bull:execution:orders", ("bull:execution", "orders")),
        ("family", "execution:orders", "{bull:execution}:orders", ("{bull:execution}", "orders")),
        ("family", "execution:eu:orders", "{bull:execution}:eu:orders", ("{bull:execution}:eu", "orders")),
        ("family", "mail", "bull:{mail}", ("bull", "{mail}")),
        ("queue", "execution:orders", "bull:execution:{orders}", ("bull:execution", "{orders}")),
        ("queue", "mail", "bull:{mail}", ("bull", "{mail}")),
        ("one", "execution:orders", "{bull}:execution:orders", ("{bull}:execution", "orders")),
        ("one", "mail", "{bull}:mail", ("{bull}", "mail")),
    ],
)
def test_a_queue_is_spelled_for_us_and_for_node(
    slots: Slots | None, queue: str, place: str, node: tuple[str, str]
) -> None:
    naming = Naming("bull", slots)
    assert naming.place(queue) == place
    assert naming.node(queue) == node
    assert naming.queue_of(place) == queue


@pytest.mark.parametrize("slots", [None, "family", "queue", "one"])
def test_no_two_queues_are_spelled_alike(slots: Slots | None) -> None:
    naming = Naming("bull", slots)
    places = {naming.place(queue): queue for queue in QUEUES}
    assert len(places) == len(QUEUES)
    assert {place: naming.queue_of(place) for place in places} == places
    assert all(naming.holds(f"{place}:wait") for place in places)


@pytest.mark.parametrize("slots", ["family", "queue", "one"])
def test_all_keys_of_a_queue_have_one_tag(slots: Slots) -> None:
    naming = Naming("bull", slots)
    for queue in QUEUES:
        place = naming.place(queue)
        assert {hash_tag(f"{place}:{rest}") for rest in ("wait", "1:lock", "{x}", "a{b}c")} == {hash_tag(place)}
        assert hash_tag(place) != place


def test_families_share_a_slot_and_others_do_not() -> None:
    naming = Naming("bull", "family")
    assert hash_tag(naming.place("execution:orders")) == hash_tag(naming.place("execution:fills"))
    assert hash_tag(naming.place("execution:orders")) != hash_tag(naming.place("portfolio:orders"))


@pytest.mark.parametrize("slots", [None, "family", "queue", "one"])
def test_a_brace_of_the_users_own_is_left_as_it_is(slots: Slots | None) -> None:
    assert Naming("{bull}", slots).place("execution:orders") == "{bull}:execution:orders"
    assert Naming("bull", slots).place("{eu}:orders") == "bull:{eu}:orders"
    assert Naming("{bull}", slots).part("cache") == "{bull}::cache"
    assert Naming("{bull}", slots).queue_of("{bull}:execution:orders") == "execution:orders"


@pytest.mark.parametrize(
    ("slots", "cache", "channel", "lock"),
    [
        (None, "bull::cache", "bull::channel:prices", "bull::cache:fx:"),
        ("family", "{bull::cache}", "{bull::channel:prices}", "{bull::cache}:fx:"),
        ("queue", "{bull::cache}", "{bull::channel:prices}", "{bull::cache}:fx:"),
        ("one", "{bull}::cache", "{bull}::channel:prices", "{bull}::cache:fx:"),
    ],
)
def test_other_parts_have_an_empty_part_and_a_tag(
    slots: Slots | None, cache: str, channel: str, lock: str
) -> None:
    naming = Naming("bull", slots)
    assert naming.part("cache") == cache
    assert naming.part("channel", "prices") == channel
    # A cache's locks are spelled as those of a queue would be, below the cache.
    assert naming.place(":cache:fx:") == lock
    assert naming.place(":cache:fx:").startswith(cache)
    assert naming.holds(cache + ":")


@pytest.mark.parametrize(
    ("key", "tag"),
    [
        ("user1000.following", "user1000.following"),
        ("{user1000}.following", "user1000"),
        ("foo{}{bar}", "foo{}{bar}"),
        ("foo{{bar}}zap", "{bar"),
        ("foo{bar}{zap}", "bar"),
        ("foo{bar", "foo{bar"),
    ],
)
def test_the_tag_is_that_of_the_cluster_specification(key: str, tag: str) -> None:
    assert hash_tag(key) == tag


def test_crc16_is_that_of_the_standard_library() -> None:
    # The specification's check value of CRC16 (XMODEM).
    assert binascii.crc_hqx(b"123456789", 0) == 0x31C3

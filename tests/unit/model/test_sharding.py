"""Shards: tags whose slots lie evenly, and which shard a key belongs to."""

import binascii
from collections import Counter

import pytest

from stockyard.errors import InvalidOption
from stockyard.model.naming import Naming, Slots, hash_tag
from stockyard.model.sharding import MOST_SHARDS, SLOTS, numbered_id, part_of, refuse_numbered, shards_of, tags_of

EVERY = range(1, MOST_SHARDS + 1)


def slots_of(queue: str, number: int) -> list[int]:
    """The slots of a queue's shards, as a cluster computes them."""
    naming = Naming("bull")
    tags = [hash_tag(naming.place(shard.queue) + ":wait") for shard in shards_of(queue, number)]
    return [binascii.crc_hqx(tag.encode(), 0) % SLOTS for tag in tags]


@pytest.mark.parametrize("queue", ["market:ticks", "mail", "m\xfcnze:eu:ticks"])
def test_each_part_of_the_slots_has_one_shard_in_order(queue: str) -> None:
    for number in EVERY:
        assert [slot * number // SLOTS for slot in slots_of(queue, number)] == list(range(number))


@pytest.mark.parametrize("shift", [-3, 0, 3])
def test_the_nodes_of_an_even_cluster_have_equal_shares(shift: int) -> None:
    """Clusters cut their slots some away from where we do."""
    for number in EVERY:
        slots = slots_of("market:ticks", number)
        for nodes in (nodes for nodes in range(1, number + 1) if number % nodes == 0):
            edges = [round(node * SLOTS / nodes) + (shift if node else 0) for node in range(nodes)]
            shares = Counter(sum(slot >= edge for edge in edges) for slot in slots)
            assert set(shares.values()) == {number // nodes}


def test_the_shards_of_a_number_are_among_those_of_its_multiples() -> None:
    for number in EVERY:
        for multiple in range(2 * number, MOST_SHARDS + 1, number):
            assert set(tags_of("market", number)) < set(tags_of("market", multiple))
            assert tags_of("market", number) == tags_of("market", multiple)[:: multiple // number]


def test_the_tags_are_what_is_stored_and_do_not_change() -> None:
    assert tags_of("market", 4) == ("6n", "6o", "6h", "6i")


@pytest.mark.parametrize(
    ("queue", "slots", "name"),
    [
        ("market:ticks", None, "{market-TAG}:ticks"),
        ("market:ticks", "family", "{market-TAG}:ticks"),
        ("market:eu:ticks", "family", "{market-TAG}:eu:ticks"),
        ("market:eu:ticks", "queue", "market:eu:{ticks-TAG}"),
        ("ticks", "family", "{ticks-TAG}"),
    ],
)
def test_a_shard_is_spelled_alike_on_one_server_and_on_a_cluster(
    queue: str, slots: Slots | None, name: str
) -> None:
    for shard in shards_of(queue, 3, slots):
        assert shard.queue == name.replace("TAG", shard.tag)
        for naming in (Naming("bull"), Naming("bull", slots or "family")):
            assert naming.place(shard.queue) == f"bull:{shard.queue}"
            place = f"bull:{shard.queue}"
            assert naming.place(str(naming.queue_of(place))) == place


def test_shards_of_a_family_share_their_slots() -> None:
    ticks, trades = shards_of("market:ticks", 8), shards_of("market:trades", 8)
    assert [shard.tag for shard in ticks] == [shard.tag for shard in trades]
    assert slots_of("market:ticks", 8) == slots_of("market:trades", 8)


@pytest.mark.parametrize("shape", ["{}", "key-{}", "order-{:08}", "SYM{}USDT"])
@pytest.mark.parametrize("number", [2, 3, 4, 8, 16])
def test_keys_spread_evenly(shape: str, number: int) -> None:
    counts = Counter(part_of(shape.format(at), number) for at in range(10_000))
    assert len(counts) == number
    assert all(abs(count * number / 10_000 - 1) < 0.1 for count in counts.values())


def test_a_key_stays_or_moves_to_the_new_shard_beside_its_own() -> None:
    for at in range(1000):
        assert part_of(f"k{at}", 8) // 2 == part_of(f"k{at}", 4)
    assert (part_of("BTCUSDT", 1), part_of("", 64), part_of("\ud800", 4) < 4) == (0, 0, True)


def test_ids_that_shards_number() -> None:
    assert numbered_id("17@4c") == ("17", "4c")
    for own in ("17", "order-17", "a@4c", "17@", "@4c", "17@a b", "17@x@y"):
        assert numbered_id(own) is None
        refuse_numbered(own)
    with pytest.raises(InvalidOption, match="'order-17@4c'"):
        refuse_numbered("17@4c")

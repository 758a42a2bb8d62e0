"""What a queue may ask for of the jobs that wait, and which jobs it cannot arrange so."""

from typing import Any

import pytest

from stockyard import InvalidOption, Topology
from stockyard._wire.options import decode_options, encode_options
from stockyard.model.arrangement import Arrangement, arrangement_of, refuse_misfit
from stockyard.model.options import JobOptions
from stockyard.topology import Coalesce

LATEST = Coalesce(mode="latest")


def declared(**options: Any) -> Arrangement | None:
    return Topology("t").queue("q", **options).arrangement


def test_options_of_one_key_are_made_once() -> None:
    defaults = JobOptions(attempts=3)
    assert defaults.merged(coalesce="BTC") is defaults.merged(coalesce="BTC")
    assert defaults.merged(key="BTC") is not JobOptions().merged(key="BTC")
    assert (defaults.merged(key="BTC").attempts, defaults.merged(key="BTC", priority=1).priority) == (3, 1)


def test_a_queue_that_asks_for_nothing_has_no_arrangement() -> None:
    assert declared() is None
    assert declared(coalesce=None, max_length=None) is None
    assert declared(expires_in="2s") is None


def test_what_is_declared_decides_what_the_script_has() -> None:
    both = declared(coalesce="merge", max_length=5, on_full="block", full_timeout="2s")
    assert both == Arrangement(Coalesce(mode="merge"), 5, "block", 2000)
    assert both.parts == ("coalescing", "bounded")
    assert both.blocks
    (only,) = (arrangement_of("q", {"max_length": 5}),)
    assert only is not None
    assert (only.parts, only.blocks, only.on_full) == (("bounded",), False, "reject")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coalesce": "newest"}, 'coalesce of a queue must be "latest", "merge" or'),
        ({"coalesce": "max"}, "does not say what is compared"),
        ({"coalesce": Coalesce("BTC", mode="latest")}, "without a key"),
        ({"coalesce": Coalesce()}, "without a key"),
        ({"max_length": 0}, "max_length must be"),
        ({"max_length": 5, "on_full": "wait"}, "on_full must be"),
        ({"on_full": "reject"}, "has on_full and no max_length"),
        ({"max_length": 5, "full_timeout": "1s"}, "which is for on_full='block'"),
        ({"max_length": 5, "shards": 2}, "has shards"),
        ({"expires_in": 0}, "expires_in"),
    ],
)
def test_a_wrong_declaration_is_refused_in_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        declared(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": ""}, None),
        ({"key": "x" * 201}, "the key of coalesce"),
        ({"key": "x", "mode": "newest"}, "mode must be"),
        ({"key": "x", "mode": "max"}, "the field of"),
        ({"key": "x", "mode": "merge", "field": "seq"}, "field is for mode='max'"),
        ({"key": "x", "refresh_expiry": 1}, "refresh_expiry"),
    ],
)
def test_a_wrong_key_or_mode_is_refused(arguments: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert Coalesce(**arguments) == Coalesce()
        return
    with pytest.raises(InvalidOption, match=message):
        Coalesce(**arguments)


@pytest.mark.parametrize("value", ["", 3, "x" * 201, Coalesce()])
def test_a_job_needs_a_key(value: Any) -> None:
    with pytest.raises(InvalidOption, match="coalesce must be a key"):
        JobOptions().merged(coalesce=value)


def test_a_job_takes_the_mode_of_its_queue_unless_it_has_its_own() -> None:
    arrangement = Arrangement(Coalesce(mode="max", field="seq", refresh_expiry=False))
    plain = JobOptions().merged(coalesce="BTC")
    assert arrangement.resolved(plain).coalesce == Coalesce("BTC", "max", "seq", refresh_expiry=False)
    own = JobOptions().merged(coalesce=Coalesce("BTC", mode="merge"))
    assert arrangement.resolved(own) is own
    assert not arrangement.takes(JobOptions())
    assert arrangement.takes(own)


@pytest.mark.parametrize(
    ("arrangement", "options", "way", "message"),
    [
        (None, {"coalesce": "BTC"}, "", "does not coalesce jobs"),
        (Arrangement(max_length=1), {"coalesce": "BTC"}, "", "does not coalesce jobs"),
        (Arrangement(LATEST), {"coalesce": "BTC", "job_id": "own"}, "", "coalesce and job_id exclude each other"),
        (Arrangement(LATEST), {"coalesce": "BTC"}, "an outbox", "an outbox cannot coalesce jobs"),
        (Arrangement(max_length=1), {}, "an outbox", "does not keep to the max_length"),
        (Arrangement(max_length=1), {"deduplication": "BTC"}, "", "deduplication is not supported there"),
    ],
)
def test_a_job_that_does_not_fit_is_refused(
    arrangement: Arrangement | None, options: dict[str, Any], way: str, message: str
) -> None:
    with pytest.raises(InvalidOption, match=message):
        refuse_misfit("q", arrangement, JobOptions().merged(**options), way=way)


def test_other_jobs_fit() -> None:
    refuse_misfit("q", None, JobOptions().merged(deduplication="BTC", job_id="own"))
    refuse_misfit("q", Arrangement(LATEST), JobOptions().merged(deduplication="BTC", job_id="own"), way="a flow")
    refuse_misfit("q", Arrangement(LATEST, 1), JobOptions().merged(coalesce="BTC"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"expires_in": "2s"}, '{"attempts":1,"expiresIn":2000}'),
        ({"expires_at": 5000}, '{"attempts":1,"expiresAt":5000}'),
        ({"coalesce": "BTC"}, '{"attempts":1,"coalesce":{"key":"BTC","replaced":0}}'),
        (
            {"coalesce": Coalesce("B}", mode="max", field="seq"), "lane": "x"},
            '{"attempts":1,"limits":{"lane":"x"},"coalesce":{"key":"B}","mode":"max","field":"seq","replaced":0}}',
        ),
    ],
)
def test_the_count_of_replaced_ones_ends_the_stored_options(options: dict[str, Any], text: str) -> None:
    given = JobOptions().merged(**options)
    assert encode_options(given) == text
    read = decode_options(text)
    assert encode_options(read) == text
    assert (read.expires_in_ms, read.expires_at_ms) == (given.expires_in_ms, given.expires_at_ms)


def test_what_was_replaced_is_read_and_odd_values_are_none() -> None:
    read = decode_options('{"coalesce":{"key":"BTC","replaced":3,"renewed":700},"expiresIn":50}')
    assert read.coalesce == Coalesce("BTC", "latest", replaced=3, renewed_on=700)
    assert read.expiry(100) == 750
    for odd in ('"BTC"', "{}", '{"key":""}', '{"key":"x","mode":"odd"}', "[]"):
        assert decode_options(f'{{"coalesce":{odd}}}').coalesce is None
    assert decode_options('{"expiresIn":"soon","expiresAt":-1}').expiry(100) is None


def test_an_expiry_takes_the_place_of_the_queue_s() -> None:
    queue = JobOptions().merged(expires_in="5s")
    assert queue.expiry(100) == 5100
    assert queue.merged(expires_at=700).expiry(100) == 700
    assert queue.merged(expires_in=None).expiry(100) is None
    assert queue.merged(delay="1s").expiry(100) == 6100


def test_a_child_expires_with_its_parent_at_the_latest() -> None:
    plain = JobOptions()
    assert plain.within(None, 100) is plain
    assert plain.within(700, 100).expiry(100) == 700
    longer = plain.merged(expires_in="5s")
    assert longer.within(700, 100).expiry(100) == 700
    assert longer.within(9000, 100) is longer


def test_a_queue_whose_jobs_age_needs_a_priority() -> None:
    aging = declared(priority=10, aging="30s")
    assert aging == Arrangement(aging_ms=30_000)
    assert aging.parts == ("aging",)
    assert declared(priority=10, aging="30s", shards=4) == aging
    both = declared(priority=10, aging="30s", max_length=5)
    assert both is not None
    assert both.parts == ("bounded", "aging")
    assert declared(priority=10, aging=None) is None
    for options, message in (
        ({"aging": "30s"}, "has aging and no priority"),
        ({"aging": "30s", "priority": 0}, "has aging and no priority"),
        ({"aging": 0, "priority": 1}, "aging must be 1 ms or longer"),
        ({"aging": "30s", "priority": 1, "max_length": 5, "on_full": "drop_oldest"}, "does not say how urgent"),
    ):
        with pytest.raises(InvalidOption, match=message):
            declared(**options)


def test_a_job_that_has_no_priority_or_is_tied_is_added_as_ever() -> None:
    """A tied one is given its place within a second."""
    aging = declared(priority=10, aging="30s")
    assert aging is not None
    assert aging.takes(JobOptions().merged(priority=1))
    assert not aging.takes(JobOptions())
    assert not aging.takes(JobOptions().merged(priority=1, deduplication="a"))

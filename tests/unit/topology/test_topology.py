"""Declared queues: their defaults, and what is refused at the declaration."""

import functools
from typing import Any

import pytest

from stockyard import (
    Backoff,
    ConfigError,
    HandlerError,
    InvalidOption,
    Job,
    Keep,
    Rate,
    Router,
    StockyardError,
    Topology,
    UnknownQueue,
)
from stockyard.limits import Gap, Limits
from stockyard.model.sharding import shards_of
from stockyard.topology import QueueSpec


def test_a_queue_is_declared_once_and_found_by_name() -> None:
    topology = Topology("shop")
    mail = topology.queue(
        "mail", concurrency=5, attempts=3, backoff=Backoff.exponential("1s"), rate="100/s", lock="5s"
    )
    topology.queue("portfolio:high_priority")
    assert topology.spec("mail") is mail
    assert topology.names == ("mail", "portfolio:high_priority")
    assert ("mail" in topology, "post" in topology, len(topology)) == (True, False, 2)
    assert [spec.name for spec in topology] == ["mail", "portfolio:high_priority"]
    assert (mail.concurrency, mail.lock_ms, mail.rate) == (5, 5000, Rate(100, 1000))
    assert (mail.defaults.attempts, mail.defaults.backoff) == (3, Backoff("exponential", 1000))
    assert mail.defaults.remove_on_complete == Keep.within("1h", 10_000)


def test_a_misspelt_queue_gets_a_hint_and_the_known_names() -> None:
    topology = Topology("shop")
    topology.queue("mail")
    topology.queue("orders")
    with pytest.raises(
        UnknownQueue, match=r"unknown queue 'order'; did you mean 'orders'\? Known: mail, orders"
    ) as raised:
        topology.spec("order")
    assert (raised.value.name, raised.value.known) == ("order", ("mail", "orders"))
    with pytest.raises(UnknownQueue, match="Known: none"):
        Topology("empty").spec("x")


@pytest.mark.parametrize("pair", [("mail", "mail"), ("portfolio", "portfolio:high"), ("a:b:c", "a:b")])
def test_names_that_would_share_keys_are_refused(pair: tuple[str, str]) -> None:
    topology = Topology("shop")
    topology.queue(pair[0])
    with pytest.raises(ConfigError, match=r"declared twice|lies inside the keys"):
        topology.queue(pair[1])
    topology.queue("portfolio2:high")


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": ""},
        {"name": ":a"},
        {"name": "a:"},
        {"name": "a::b"},
        {"name": "a:::b"},
        {"name": "a b"},
        {"concurrency": 0},
        {"concurrency": 1.0},
        {"concurrency": True},
        {"attempts": -1},
        {"backoff": "soon"},
        {"priority": -1},
        {"timeout": 0},
        {"remove_on_complete": "1h"},
        {"rate": "fast"},
        {"rate": "0/s"},
        {"rate": "5/0s"},
        {"rate": 5},
        {"lock": "10ms"},
        {"lock": -1},
        {"max_stalled": -1},
        {"max_stalled": True},
    ],
)
def test_a_wrong_declaration_is_refused(declaration: dict[str, Any]) -> None:
    topology = Topology("shop")
    with pytest.raises(StockyardError, match=r"must|name is text"):
        topology.queue(**{"name": "q", **declaration})
    assert len(topology) == 0


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/s", Rate(100, 1000)),
        ("6000/1m", Rate(6000, 60_000)),
        ("5 / 10s", Rate(5, 10_000)),
        ("1/ms", Rate(1, 1)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert Rate.of(text) == Rate.of(rate) == rate


async def serve(job: Job[Any]) -> None: ...


def test_a_router_serves_each_name_once() -> None:
    router = Router()
    assert not router
    router.handler("b")(serve)
    router.add("a", serve)
    assert router
    assert router.names == ("a", "b")
    found = router.get("a")
    assert found is not None
    assert found.function is serve
    assert router.get("c") is None
    with pytest.raises(HandlerError, match="'a' is registered already"):
        router.add("a", serve)


def test_a_handler_that_cannot_serve_is_refused_where_it_is_declared() -> None:
    topology = Topology("shop")
    mail = topology.queue("mail", executor="process")
    with pytest.raises(HandlerError, match="child process can import"):

        @mail.handler("x")
        def local(job: Job[Any]) -> None: ...

    with pytest.raises(InvalidOption):
        Keep.within(count=-1)


def test_a_handler_without_a_name_is_registered_under_its_own() -> None:
    router, spec = Router(), QueueSpec.declare("q", executor="process")

    @router.handler
    async def welcome(job: Job[Any]) -> None: ...

    @router.handler()
    async def goodbye(job: Job[Any]) -> None: ...

    assert router.names == ("goodbye", "welcome")
    spec.handler(_at_the_top)
    assert [handler.executor for handler in spec.router] == ["process"]
    assert spec.router.names == ("_at_the_top",)


@pytest.mark.parametrize("given", [lambda job: None, functools.partial(print), "", 5, b"name"])
def test_a_handler_needs_a_name_that_is_text(given: Any) -> None:
    with pytest.raises(HandlerError, match=r"has no name of its own|name must be non-empty text"):
        Router().handler(given)(lambda job: None)


def test_an_option_of_a_handler_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidOption, match="unknown option 'executr' of a handler; did you mean 'executor'"):
        Topology("t").queue("q").handler("x", executr="thread")  # type: ignore[call-overload]


def _at_the_top(job: Any) -> None: ...


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"concurency": 5}, "unknown option 'concurency' of queue 'q'; did you mean 'concurrency'"),
        ({"attempt": 5}, "did you mean 'attempts'"),
        ({"executor": "proces"}, "executor must be one of 'async', 'thread', 'process'; got 'proces'"),
        ({"executor": ""}, "executor must be"),
    ],
)
def test_an_option_that_is_not_known_is_refused(options: Any, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        Topology("t").queue("q", **options)
    with pytest.raises(InvalidOption, match=said):
        QueueSpec.declare("q", **options)


def test_shards_are_checked_at_the_declaration() -> None:
    topology = Topology("desk", slots="family")
    assert topology.queue("market:ticks", shards=4).shards == 4
    assert topology.queue("market:trades").shards == 1
    for shards in (0, 65, 2.0, "4", True, None):
        with pytest.raises(InvalidOption, match="shards must be"):
            topology.queue("market:x", shards=shards)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="shards=4 and a rate"):
        topology.queue("market:x", shards=4, rate="10/s")
    with pytest.raises(InvalidOption, match="shards=4 and limits"):
        topology.queue("market:x", shards=4, limits=Limits("venue", [Gap("order", "100ms")]))
    with pytest.raises(InvalidOption, match="shards=4 and effects"):
        topology.queue("market:x", shards=4, delivery="at_most_once")
    with pytest.raises(InvalidOption, match="a hash tag in its name"):
        topology.queue("{market}:x", shards=4)
    assert topology.queue("{market}:x", shards=1, rate="10/s").shards == 1
    with pytest.raises(InvalidOption, match="slots='one', which puts all queues into one"):
        Topology("desk", slots="one").queue("market:ticks", shards=4)


def test_a_queue_named_like_a_shard_is_refused() -> None:
    topology = Topology("desk")
    topology.queue("ticks", shards=4)
    tag = shards_of("ticks", 4)[0].tag
    with pytest.raises(ConfigError, match=f"would share keys: a shard of one of them is named 'ticks-{tag}'"):
        topology.queue(f"ticks-{tag}")
    topology.queue("ticks-of-others", shards=4)


def test_a_queue_that_is_not_declared_is_declared_when_it_is_asked_for() -> None:
    shop = Topology("shop", undeclared={"attempts": 3})
    assert "reports" not in shop
    spec = shop.spec("reports")
    assert spec.defaults.attempts == 3
    assert shop.spec("reports") is spec
    assert shop.names == ("reports",)
    for mail in shop:
        # Asked for while the queues are gone through, as by another thread.
        shop.spec("more")
        assert mail.name == "reports"


def test_declarations_come_before_what_holds_for_the_others() -> None:
    shop = Topology("shop", undeclared={})
    declared = shop.queue("mail", attempts=7)
    assert shop.spec("mail") is declared
    with pytest.raises(ConfigError, match="declared twice"):
        shop.queue("mail")


@pytest.mark.parametrize("name", ["two words", ":edge", "two::colons", "", 7])
def test_a_name_that_cannot_be_a_queues_is_refused_when_it_is_asked_for(name: Any) -> None:
    with pytest.raises(ConfigError, match="a queue's name is text"):
        Topology("shop", undeclared={}).spec(name)


def test_names_asked_for_are_kept_apart() -> None:
    shop = Topology("shop", undeclared={})
    shop.spec("portfolio")
    with pytest.raises(ConfigError, match="lies inside the keys"):
        shop.spec("portfolio:high")


@pytest.mark.parametrize("given", [{"atempts": 3}, True, ["attempts"]])
def test_options_of_undeclared_queues_are_checked_at_once(given: Any) -> None:
    with pytest.raises(InvalidOption):
        Topology("shop", undeclared=given)

"""The options of add that tie jobs together or limit what is kept: what is taken, what is refused and why."""

from typing import Any

import msgspec
import pytest

from stockyard import AddOptions, Deduplication, Flow, InvalidOption, JobOptions, ParentRef
from stockyard.model.options import KNOWN_OPTIONS


def merged(**options: Any) -> JobOptions:
    return JobOptions().merged(**options)


def test_the_id_alone_is_a_deduplication() -> None:
    assert merged(deduplication="BTC").deduplication == Deduplication("BTC")
    assert merged(deduplication="BTC").merged(deduplication=None).deduplication is None


def test_a_time_is_kept_in_milliseconds() -> None:
    assert Deduplication("BTC", "1.5s").ttl_ms == 1500
    assert Deduplication("BTC", 2).ttl_ms == 2000
    assert Deduplication("BTC").ttl_ms is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"ttl": 0}, "ttl must be 1 ms or longer; got 0: leave it out"),
        ({"ttl": "soon"}, "ttl must be a duration"),
        ({"extend": True}, "extend restarts the ttl; give a ttl"),
        ({"replace": True, "reschedule": True}, "replace and reschedule exclude each other"),
    ],
)
def test_ways_that_make_no_sense(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        Deduplication("BTC", **arguments)


def test_whatever_has_a_place_is_a_parent() -> None:
    class Job:
        queue, id = "orders", "17"

    assert merged(parent=Job()).parent == ParentRef("orders", "17")
    elsewhere = ParentRef("orders", "17", "other")
    assert merged(parent=elsewhere).parent == elsewhere


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"job_id": ""}, "job_id must be non-empty text; got ''"),
        ({"key": ""}, "key must be text of 1 to 200 characters"),
        ({"scope": ""}, "scope must be values by name"),
        ({"deduplication": ""}, "deduplication must be an id of 1 to 200 characters"),
        ({"deduplication": "x" * 201}, "deduplication must be an id of 1 to 200 characters"),
        ({"deduplication": Deduplication("\ud800")}, "deduplication must be an id"),
        (
            {"parent": "17"},
            r"parent must be a Job or ParentRef\(queue, id\), so that its place is known; got '17'",
        ),
        ({"parent": ParentRef("", "17")}, "parent must be a Job"),
        (
            {"on_failure": "explode"},
            "on_failure must be one of 'fail_parent', 'continue_parent', .*; got 'explode'",
        ),
        ({"keep_logs": 0}, "keep_logs must be a whole number from 1"),
        ({"stack_trace_limit": -1}, "stack_trace_limit must be a whole number from 0"),
        ({"size_limit": 1.5}, "size_limit must be a whole number from 1"),
        ({"telemetry": 5}, "telemetry must be non-empty text; got 5"),
        ({"omit_context": 1}, "omit_context must be True or False"),
    ],
)
def test_options_out_of_their_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        merged(**options)


def test_options_stay_values_that_travel_to_a_child_process() -> None:
    options = merged(
        deduplication=Deduplication("BTC", "5s", extend=True),
        parent=ParentRef("orders", "17"),
        on_failure="fail_parent",
        keep_logs=5,
        stack_trace_limit=0,
        size_limit=100,
        telemetry="00-a-b-01",
        omit_context=True,
    )
    assert len({options, merged().merged(job_id="x"), options.merged(lifo=False)}) == 2
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(options), type=JobOptions) == options
    with pytest.raises(AttributeError):
        options.deduplication = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("children", "shown"), [([{"name": "fetch"}], r"\{'name'"), (None, "None"), ("ab", "'ab'"), (5, "5")]
)
def test_children_of_a_flow_are_flows(children: Any, shown: str) -> None:
    with pytest.raises(InvalidOption, match=f"children of flow 'report' must be Flow values; got {shown}"):
        Flow("report", "q", children=children)


def test_an_argument_that_deduplication_does_not_take_is_named() -> None:
    with pytest.raises(InvalidOption, match="unknown option 'extends' of Deduplication; did you mean 'extend'"):
        Deduplication("x", ttl=1, extends=True)  # type: ignore[call-arg]


def test_the_options_of_add_are_those_that_are_checked() -> None:
    assert set(KNOWN_OPTIONS) == set(AddOptions.__annotations__)

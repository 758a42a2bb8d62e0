"""The ``opts`` field: what we write under BullMQ's names, and what any peer may have written."""

import json
from typing import Any

import pytest

from stockyard import Deduplication, JobOptions, ParentRef
from stockyard._wire.options import decode_options, encode_options, encode_parent_link, parent_key
from stockyard.model.naming import Naming

PARENT = ParentRef("portfolio:high", "17")


def encoded(**options: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(encode_options(JobOptions().merged(**options), naming=Naming("bull")))
    del fields["attempts"]
    return fields


WRITTEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"deduplication": "BTC"}, {"de": {"id": "BTC"}}),
    (
        {"deduplication": Deduplication("BTC", "5s", extend=True, replace=True)},
        {"de": {"id": "BTC", "ttl": 5000, "extend": True, "replace": True}},
    ),
    ({"deduplication": Deduplication("BTC", reschedule=True)}, {"de": {"id": "BTC", "reschedule": True}}),
    ({"deduplication": Deduplication("BTC", keep_last=True)}, {"de": {"id": "BTC", "keepLastIfActive": True}}),
    ({"parent": PARENT}, {"parent": {"id": "17", "queue": "bull:portfolio:high"}}),
    ({"on_failure": "fail_parent"}, {"fpof": True}),
    ({"on_failure": "continue_parent"}, {"cpof": True}),
    ({"on_failure": "ignore_dependency"}, {"idof": True}),
    ({"on_failure": "remove_dependency"}, {"rdof": True}),
    ({"keep_logs": 3}, {"kl": 3}),
    ({"stack_trace_limit": 0}, {"stackTraceLimit": 0}),
    ({"size_limit": 100}, {"sizeLimit": 100}),
    ({"telemetry": "ctx", "omit_context": True}, {"tm": "ctx", "omc": True}),
    ({"correlation_id": "o-7", "causation_id": "s/1"}, {"correlationId": "o-7", "causationId": "s/1"}),
]


@pytest.mark.parametrize(("options", "fields"), WRITTEN)
def test_what_is_written_is_read_back(options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert encoded(**options) == fields
    expected = JobOptions().merged(**options)
    if expected.parent:
        expected = expected.merged(parent=ParentRef("portfolio:high", "17", "bull"))
    assert decode_options(encode_options(JobOptions().merged(**options), naming=Naming("bull"))) == expected


def test_the_tie_says_what_a_failure_does() -> None:
    assert json.loads(encode_parent_link(PARENT, None, naming=Naming("bull"))) == {
        "id": "17",
        "queueKey": "bull:portfolio:high",
    }
    link = json.loads(encode_parent_link(ParentRef("p", "1", "other"), "continue_parent", naming=Naming("bull")))
    assert link == {"id": "1", "queueKey": "other:p", "cpof": True}
    assert parent_key(PARENT, Naming("bull")) == "bull:portfolio:high:17"


@pytest.mark.parametrize(
    "odd",
    [
        {"de": 5},
        {"de": {}},
        {"de": {"id": 7}},
        {"de": {"id": ""}},
        {"parent": "p"},
        {"parent": {"id": 1, "queue": "bull:p"}},
        {"parent": {"id": "1", "queue": "p"}},
        {"fpof": 1, "cpof": "yes", "idof": None, "rdof": False},
        {"kl": "3", "stackTraceLimit": -1, "sizeLimit": True},
        {"tm": {"a": 1}, "omc": 0},
        {"repeat": {"every": 5}},
    ],
)
def test_a_value_of_an_odd_type_counts_as_unset(odd: dict[str, Any]) -> None:
    assert decode_options(json.dumps(odd)) == JobOptions(attempts=0)


def test_what_the_reference_takes_together_is_read_as_it_means() -> None:
    dedup = {"id": "BTC", "ttl": 0, "extend": True, "replace": True, "reschedule": True, "keepLastIfActive": 1}
    found = decode_options(json.dumps({"de": dedup, "kl": 2.0, "sizeLimit": 1e300})).deduplication
    assert found == Deduplication("BTC", replace=True, keep_last=True)
    endless = decode_options(json.dumps({"de": {"id": "BTC", "ttl": 1e300}})).deduplication
    assert endless is not None
    assert endless.ttl_ms


def test_of_several_policies_the_first_counts() -> None:
    assert decode_options('{"rdof":true,"cpof":true}').on_failure == "continue_parent"

"""Which jobs a search means, and which failures are alike."""

from types import SimpleNamespace
from typing import Any

import pytest

from stockyard.dashboard.fingerprints import fingerprint, grouped
from stockyard.dashboard.searching import Place
from stockyard.errors import InvalidOption
from stockyard.model.job_query import matches, query_of

DATA = {"symbol": "BTCUSDT", "legs": [{"venue": "X", "quantity": 2}], "note": None}


def job(**fields: Any) -> Any:
    given = {"id": "17", "name": "submit", "data": DATA, "failed_reason": None, "stacktrace": (), "timestamp": 5}
    return SimpleNamespace(**{"finished_on": None, **given, **fields})


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("", True),
        ("17", True),
        ("btcusdt", True),
        ("SUBMIT", True),
        ("ETHUSDT", False),
        ("id:17", True),
        ("id:1", False),
        ("name:sub", True),
        ("name:17", False),
        ("data.symbol:BTCUSDT", True),
        ("data.symbol:btcusdt", True),
        ("data.symbol:BTC", False),
        ('data.symbol:"BTCUSDT"', True),
        ("data.legs.0.venue:X", True),
        ("data.legs.0.quantity:2", True),
        ("data.legs.1.venue:X", False),
        ("data.note:null", True),
        ("data.none:null", False),
        ("error:margin", False),
    ],
)
def test_a_search_means(text: str, is_found: bool) -> None:
    assert matches(job(), text) is is_found


def test_an_error_is_searched_in_the_reason() -> None:
    assert matches(job(failed_reason="No margin left"), "error:margin")


def test_a_query_with_colons_that_are_no_path_is_text() -> None:
    assert query_of("portfolio:High") == ("any", "portfolio:high", (), "portfolio:High")
    assert query_of("data.a.b:c:d") == ("path", "c:d", ("a", "b"), "")


@pytest.mark.parametrize(
    "text", ["id:", "name: ", "error:", "correlation:", "data.", "data.:x", "data..a:1", "data.a.:1", " data. "]
)
def test_a_search_that_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match="a search by"):
        query_of(text)
    assert query_of("data.a:") == ("path", "", ("a",), "")
    assert query_of("data.csv").kind == query_of("data. x:1").kind == "any"


@pytest.mark.parametrize("text", ["", "x", "a-b-c", "-1-2-3", "999999999999-1-1", "²-1"])
def test_a_place_that_is_none_is_the_beginning(text: str) -> None:
    assert Place.read(text) == Place()


def test_a_place_is_read_as_it_is_written() -> None:
    for place in (Place(), Place(2, "3-4"), Place(1)):
        assert Place.read(str(place)) == place


PYTHON = """Traceback (most recent call last):
  File "/srv/app/handlers.py", line {line}, in submit
    venue.send(order)
  File "/srv/app/venue.py", line 9, in send
    raise NoMargin(f"order {{order}} needs 12.5")
app.venue.NoMargin: order 'A{line}' needs 12.5
"""
NODE = "TypeError: x is undefined\n    at submit (/srv/app/worker.js:{line}:7)\n    at process (node:internal:1:1)"


def test_failures_that_differ_in_numbers_ids_and_lines_are_alike() -> None:
    one = fingerprint("order 'A1' needs 12.5", [PYTHON.format(line=1)])
    other = fingerprint("order 'B22' needs 3", [PYTHON.format(line=7)])
    assert one == other
    assert one[1:] == ("NoMargin", "venue.py in send", "order … needs …")
    assert fingerprint("order 'A1' has no price", [PYTHON.format(line=1)]).key != one.key


def test_failures_of_node_have_their_place() -> None:
    one = fingerprint("x is undefined", [NODE.format(line=3)])
    assert one[1:] == ("TypeError", "worker.js in submit", "x is undefined")
    assert fingerprint("x is undefined", [NODE.format(line=8)]) == one


@pytest.mark.parametrize("reason", [None, "", "\n", "🙂" * 5000, "'" * 5000])
def test_any_reason_has_a_fingerprint(reason: str | None) -> None:
    found = fingerprint(reason, [])
    assert len(found.key) == 12
    assert len(found.message) <= 200


def test_groups_count_and_keep_the_newest() -> None:
    jobs = [
        job(id=str(n), failed_reason=f"order {n} is late", finished_on=n * 10, name="a") for n in range(9, 0, -1)
    ]
    (group,) = grouped([*jobs, job(failed_reason="order 3 is late", name="b")]).values()
    assert (group.count, group.first, group.last, group.names) == (10, 5, 90, {"a", "b"})
    assert [each.id for each in group.samples] == ["9", "8", "7", "6", "5"]

"""Charts, numbers and times as pages show them."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from stockyard._store.snapshots import QueueMetrics
from stockyard.dashboard import formats
from stockyard.dashboard.charts import Series, line_chart, nice_top, sparkline, stacked_bars
from stockyard.dashboard.minutes import MINUTE, by_minute, throughput_chart


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, formats.NONE),
        (0, formats.NONE),
        (0.04, "40 ms"),
        (1.5, "1.5 s"),
        (12, "12 s"),
        (90, "90 s"),
        (420, "7.0 min"),
        (1200, "20 min"),
        (7200 * 3, "6.0 h"),
        (86_400 * 3, "3 d"),
    ],
)
def test_an_age_is_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert formats.age(seconds) == text


def test_numbers_have_their_thousands_apart() -> None:
    assert [formats.count(1234567), formats.rate(1234.4), formats.rate(12.34), formats.rate(0.05)] == [
        "1,234,567",
        "1,234",
        "12.3",
        "0.05",
    ]
    assert [formats.size(None), formats.size(10), formats.size(1536)] == [formats.NONE, "10 B", "1.5 KiB"]


def test_a_time_is_an_element_for_the_script() -> None:
    moment = int(datetime(2026, 1, 5, 9, 30, 1, 250_000, UTC).timestamp() * 1000)
    assert formats.when(moment) == (
        '<time datetime="2026-01-05T09:30:01.250Z" data-time="seconds">2026-01-05 09:30:01 UTC</time>'
    )
    assert formats.when(None) == formats.NONE
    assert formats.when(10**18) == formats.NONE


def test_what_is_no_json_is_shown_all_the_same() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert formats.pretty(loop) == "[[...]]"
    assert formats.brief({"a": "x" * 50}, 20) == '{"a":"xxxxxxxxxxxxx…'


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (0.3, 0.5), (1, 1), (3, 5), (20, 20), (21, 50), (999, 1000)])
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert nice_top(highest) == pytest.approx(top)


def test_a_line_has_gaps_where_values_are_missing() -> None:
    chart = line_chart(
        "Ages <of> jobs", [Series("q&a", [1, 2, None, 4]), Series("b", [None] * 4)], ends=("a", "b")
    )
    root = ElementTree.fromstring(chart)
    assert len(root.findall(".//polyline")) == 2
    assert root.attrib["aria-label"] == "Ages <of> jobs. q&a: 4; b: none"
    assert "style=" not in chart


def test_bars_stand_on_each_other_and_name_their_numbers() -> None:
    series = [Series("completed", [1.0, 3.0]), Series("failed", [0.0, 1.0])]
    root = ElementTree.fromstring(stacked_bars("Jobs", series, ends=("a", "b"), names=["one", "two"]))
    titles = [title.text for title in root.iter("title")]
    assert titles == ["one: 1 completed, 0 failed", "two: 3 completed, 1 failed"]
    lower, upper = root.findall(".//g")[-1].findall("rect")
    assert float(upper.attrib["y"]) + float(upper.attrib["height"]) == pytest.approx(
        float(lower.attrib["y"]), abs=0.2
    )


def test_a_small_line_is_drawn_of_anything() -> None:
    for values in ([], [None], [0.0, 0.0], [1.0, None, 3.0]):
        ElementTree.fromstring(sparkline("few", values))


def test_minutes_are_those_of_the_server_s_count() -> None:
    metrics = QueueMetrics(count=30, prev_ts=10 * MINUTE + 5, prev_count=25, data=(7, 4), points=2)
    assert by_minute(metrics) == {10: 5, 9: 7, 8: 4}
    assert by_minute(QueueMetrics()) == {}
    root = ElementTree.fromstring(throughput_chart([metrics, metrics], [QueueMetrics()], now=11 * MINUTE))
    titles = [title.text for title in root.iter("title")]
    assert len(titles) == 60
    assert titles[-4:] == [
        "3 min ago: 8 completed, 0 failed",
        "2 min ago: 14 completed, 0 failed",
        "1 min ago: 10 completed, 0 failed",
        "this minute: 0 completed, 0 failed",
    ]

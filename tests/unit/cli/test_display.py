"""How values read."""

import pytest

from stockyard.cli.display import seconds, show_facts, show_table, span, when


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0ms"), (250, "250ms"), (90_000, "90s"), (60_000, "1m"), (3_600_000, "1h"), (604_800_000, "7d")],
)
def test_a_span_takes_its_largest_whole_unit(milliseconds: int, text: str) -> None:
    assert span(milliseconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "-"), (0.42, "0.4s"), (59.6, "60s"), (600.0, "10m")])
def test_an_age_is_read_at_a_glance(value: float, text: str) -> None:
    assert seconds(value) == text


def test_a_moment_is_utc() -> None:
    assert when(1_700_000_000_123) == "2023-11-14 22:13:20.123Z"
    assert when(None) is None


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "jobs"), [("[bold]" + "x" * 150, 12_345)], right=("jobs",))
    shown = capsys.readouterr().out
    assert "[bold]" + "x" * 150 in shown
    assert "12,345" in shown


def test_facts_leave_out_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts({"name": "mail", "is_paused": False, "rate": None})
    assert capsys.readouterr().out == "name       mail\nis_paused  no\n"

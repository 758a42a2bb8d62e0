"""Cron patterns: what they name, what they refuse, and their times where the clock is set."""

from datetime import UTC, datetime

import pytest

from stockyard import InvalidOption
from stockyard.model.cron import cron_pattern, zone_of


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def times(pattern: str, after: str, count: int, tz: str = "UTC") -> list[str]:
    """The next times, as the clock of the zone shows them."""
    zone, at = zone_of(tz), ms(after)
    found: list[str] = []
    while len(found) < count and (at := cron_pattern(pattern).next(at, zone) or 0):
        found.append(datetime.fromtimestamp(at / 1000, zone).isoformat()[5:])
    return found


def days(pattern: str, count: int = 4) -> list[str]:
    return [each[:5] for each in times(pattern, "2026-01-14T12:34:56.789+00:00", count)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("* * * * * *", ["12:34:57", "12:34:58", "12:34:59", "12:35:00"]),
        ("*/20 * * * * *", ["12:35:00", "12:35:20", "12:35:40", "12:36:00"]),
        ("10,50 5/25 * * * *", ["12:55:10", "12:55:50", "13:05:10", "13:05:50"]),
        ("* * * * *", ["12:35:00", "12:36:00", "12:37:00", "12:38:00"]),
        ("0 9-17/4 * * *", ["13:00:00", "17:00:00", "09:00:00", "13:00:00"]),
        ("*/90 * * * *", ["13:00:00", "14:00:00", "15:00:00", "16:00:00"]),
        ("@hourly", ["13:00:00", "14:00:00", "15:00:00", "16:00:00"]),
    ],
)
def test_fields_of_the_day(pattern: str, expected: list[str]) -> None:
    assert [each[6:14] for each in times(pattern, "2026-01-14T12:34:56.789+00:00", 4)] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("0 0 L * *", ["01-31", "02-28", "03-31", "04-30"]),
        ("0 0 15,L * *", ["01-15", "01-31", "02-15", "02-28"]),
        ("0 0 * * 5L", ["01-30", "02-27", "03-27", "04-24"]),
        ("0 0 * * FRIL", ["01-30", "02-27", "03-27", "04-24"]),
        ("0 0 * * 1L,3", ["01-21", "01-26", "01-28", "02-04"]),
        ("0 0 * * mon#2", ["02-09", "03-09", "04-13", "05-11"]),
        ("0 0 * * 7", ["01-18", "01-25", "02-01", "02-08"]),
        ("0 0 * * 5-7", ["01-16", "01-17", "01-18", "01-23"]),
        ("0 0 * * MON,WED", ["01-19", "01-21", "01-26", "01-28"]),
        ("0 0 1 JAN-mar *", ["02-01", "03-01", "01-01", "02-01"]),
        ("0 0 ? * MON", ["01-19", "01-26", "02-02", "02-09"]),
        # Both days given: either will do, with a step too.
        ("0 0 13 * 5", ["01-16", "01-23", "01-30", "02-06"]),
        ("0 0 */2 * 1", ["01-15", "01-17", "01-19", "01-21"]),
        ("0 0 29 2 *", ["02-29", "02-29", "02-29", "02-29"]),
    ],
)
def test_fields_of_the_calendar(pattern: str, expected: list[str]) -> None:
    assert days(pattern) == expected


FORWARD = "2026-03-28T23:30:00+00:00"
BACK = "2026-10-24T23:30:00+00:00"


@pytest.mark.parametrize(
    ("pattern", "after", "expected"),
    [
        # 02:00 to 03:00 of 29 March does not exist in Berlin.
        ("30 2 * * *", FORWARD, ["03-29T03:30:00+02:00", "03-30T02:30:00+02:00"]),
        ("0 2 * * *", FORWARD, ["03-29T03:00:00+02:00", "03-30T02:00:00+02:00"]),
        ("*/30 2 * * *", FORWARD, ["03-29T03:00:00+02:00", "03-29T03:30:00+02:00", "03-30T02:00:00+02:00"]),
        ("30 2,3 * * *", FORWARD, ["03-29T03:30:00+02:00", "03-30T02:30:00+02:00"]),
        ("30 * * * *", FORWARD, ["03-29T01:30:00+01:00", "03-29T03:30:00+02:00"]),
        ("0 */2 * * *", FORWARD, ["03-29T03:00:00+02:00", "03-29T04:00:00+02:00"]),
        ("15 59 1-2 * * *", FORWARD, ["03-29T01:59:15+01:00", "03-29T03:59:15+02:00", "03-30T01:59:15+02:00"]),
        # 02:00 to 03:00 of 25 October comes twice.
        ("30 2 * * *", BACK, ["10-25T02:30:00+02:00", "10-26T02:30:00+01:00"]),
        ("*/30 2 * * *", BACK, ["10-25T02:00:00+02:00", "10-25T02:30:00+02:00", "10-26T02:00:00+01:00"]),
        ("30 2 * * *", "2026-10-25T01:10:00+00:00", ["10-26T02:30:00+01:00"]),
        ("30 * * * *", BACK, ["10-25T02:30:00+02:00", "10-25T02:30:00+01:00", "10-25T03:30:00+01:00"]),
        ("0 */2 * * *", BACK, ["10-25T02:00:00+02:00", "10-25T04:00:00+01:00"]),
        ("0 */20 * * * *", BACK, ["10-25T01:40:00+02:00", "10-25T02:00:00+02:00"]),
    ],
)
def test_where_the_clock_is_set(pattern: str, after: str, expected: list[str]) -> None:
    assert times(pattern, after, len(expected), "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("pattern", "tz", "after", "expected"),
    [
        # Midnight is skipped: a daily job comes all the same.
        (
            "0 0 * * *",
            "Asia/Beirut",
            "2026-03-28T12:00:00+00:00",
            ["03-29T01:00:00+03:00", "03-30T00:00:00+03:00"],
        ),
        (
            "0 0 * * *",
            "America/Havana",
            "2026-10-31T12:00:00+00:00",
            ["11-01T00:00:00-04:00", "11-02T00:00:00-05:00"],
        ),
        # Half an hour is skipped.
        (
            "10,35 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00+00:00",
            ["10-04T02:35:00+11:00", "10-04T02:40:00+11:00", "10-05T02:10:00+11:00"],
        ),
    ],
)
def test_odd_zones(pattern: str, tz: str, after: str, expected: list[str]) -> None:
    assert times(pattern, after, len(expected), tz) == expected


@pytest.mark.parametrize("tz", ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
def test_times_only_go_forward(tz: str) -> None:
    zone, pattern = zone_of(tz), cron_pattern("*/5 0-4 * * *")
    for start in range(ms("2026-03-07T00:00:00+00:00"), ms("2026-11-03T00:00:00+00:00"), 5_400_000):
        found = pattern.next(start, zone)
        assert found is not None
        assert found > start
        # A later start finds the same time or a later one.
        assert (pattern.next(start + 60_000, zone) or 0) >= found or found <= start + 60_000


@pytest.mark.parametrize(
    "pattern",
    [
        "", "* * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *",
        "0 0 * * 8", "a * * * *", "5-1 * * * *", "*/0 * * * *", "1,1 * * * *", "1-5,3 * * * *",
        "0 0 * * 0,7", "0 0 30 2 *",
        "0 0 31 4,6 *", "0 0 LW * *", "0 0 * * L", "0 0 L-2 * *", "0 0 * * 1#6", "0 0 * * 1#2,3", "1, * * * *",
        "-1 * * * *", "@often", "0 0 * mon *", "٣ * * * *",
    ],
)  # fmt: skip
def test_a_wrong_pattern_is_one_error(pattern: str) -> None:
    with pytest.raises(InvalidOption, match="cron pattern"):
        cron_pattern(pattern)


def test_a_zone_is_known_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zone_of("UTC") is UTC
    for wrong in ("Europe/Atlantis", "", "../etc/passwd", "Berlin\0"):
        with pytest.raises(InvalidOption, match="IANA"):
            zone_of(wrong)
    zone_of.cache_clear()
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert str(zone_of(None)) == "Asia/Kolkata"
    zone_of.cache_clear()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("0 9 * * MONDAY", "no day of week in 'MONDAY': write MON for MONDAY, as names have three letters"),
        ("0 9 * JANUARY *", "no month in 'JANUARY': write JAN for JANUARY"),
        ("0 9 * * MON-FRIDAY", "write FRI for FRIDAY"),
        ("0 9 * * FUNDAY", "the names are SUN MON TUE WED THU FRI SAT"),
        ("0 9 * MON *", "no month in 'MON': MON is a day of week"),
        ("0 18 * * MON-FRI *", r"\(6 fields: second minute hour day month weekday\) has no month in 'MON-FRI'"),
        ("0 0 12 * * 2030", r"6 fields: second .* has no day of week in '2030': a number from 0 to 7"),
        ("0 0 12 * * ? 2030", "and none for years; got 7 fields"),
        ("0 12 *", "has 5 fields .* got 3 fields"),
    ],
)
def test_a_refusal_explains_what_to_write(pattern: str, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        cron_pattern(pattern)

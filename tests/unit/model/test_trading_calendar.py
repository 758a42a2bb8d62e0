"""Schedules that keep to the days and hours of an exchange: New York and Tokyo at known holidays."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from stockyard import InvalidOption, Timing
from stockyard.model.schedule import checked_timing
from stockyard.model.trading_calendar import SessionRule, TradingCalendar, trading_calendar

NEW_YORK, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


def at(text: str, zone: ZoneInfo = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def times(timing: Timing, after: int, count: int, zone: ZoneInfo = NEW_YORK) -> list[str]:
    found = []
    for _ in range(count):
        following = timing.after(after)
        assert following is not None
        after = following
        found.append(datetime.fromtimestamp(after / 1000, zone).strftime("%m-%d %H:%M"))
    return found


def timing(**options: object) -> Timing:
    given: dict[str, object] = dict.fromkeys(("every", "cron", "tz", "offset", "limit", "start", "end"))
    return checked_timing(**{**given, "immediately": False, **options})  # type: ignore[arg-type]


def test_a_pattern_on_trading_days_passes_over_holidays_and_weekends() -> None:
    evening = timing(cron="0 18 * * *", tz="America/New_York", calendar="XNYS")
    # Thanksgiving is a Thursday; the half day after it is a trading day.
    assert times(evening, at("2026-11-25T12:00"), 4) == [
        "11-25 18:00",
        "11-27 18:00",
        "11-30 18:00",
        "12-01 18:00",
    ]


def test_a_pattern_in_trading_hours_ends_with_the_session() -> None:
    often = timing(cron="0,30 * * * *", tz="America/New_York", calendar="XNYS", during="hours")
    # 16:00 is the close, which is no time within; a half day ends at 13:00.
    assert times(often, at("2026-11-25T15:00"), 3) == ["11-25 15:30", "11-27 09:30", "11-27 10:00"]
    assert times(often, at("2026-11-27T12:00"), 2) == ["11-27 12:30", "11-30 09:30"]


def test_a_lunch_break_is_no_trading_hour() -> None:
    often = timing(cron="0,30 * * * *", tz="Asia/Tokyo", calendar="XTKS", during="hours")
    assert times(often, at("2026-06-01T11:00", TOKYO), 2, TOKYO) == ["06-01 12:30", "06-01 13:00"]


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ("open", ["11-27 09:30", "11-30 09:30"]),
        ("open+15m", ["11-27 09:45", "11-30 09:45"]),
        ("close-5m", ["11-27 12:55", "11-30 15:55"]),
        ("close+ 1h 30m", ["11-27 14:30", "11-30 17:30"]),
    ],
)
def test_a_time_of_each_session_follows_half_days(session: str, expected: list[str]) -> None:
    assert times(timing(calendar="XNYS", session=session), at("2026-11-26T00:00"), 2) == expected


def test_the_clock_change_moves_nothing() -> None:
    opening = timing(calendar="XNYS", session="open")
    assert times(opening, at("2026-10-30T12:00"), 1) == ["11-02 09:30"]
    assert times(opening, at("2026-10-30T12:00"), 1, ZoneInfo("UTC")) == ["11-02 14:30"]


def test_peers_without_calendars_get_the_usual_time() -> None:
    before_close = timing(calendar="XNYS", session="close-5m")
    assert (before_close.cron, before_close.tz) == ("0 55 15 * * 1,2,3,4,5", "America/New_York")


def test_a_run_that_a_peer_made_on_a_closed_day_is_not_admitted() -> None:
    evening = timing(cron="0 18 * * *", tz="America/New_York", calendar="XNYS")
    assert not evening.admits(at("2026-11-26T18:00"))
    assert evening.admits(at("2026-11-27T18:00"))
    before_close = timing(calendar="XNYS", session="close-5m")
    assert not before_close.admits(at("2026-11-27T15:55"))
    assert before_close.admits(at("2026-11-27T12:55"))
    assert Timing(cron="0 18 * * *").admits(0)


def test_a_start_and_an_end_hold() -> None:
    days = timing(
        calendar="XNYS",
        session="open",
        start=datetime(2026, 11, 26, tzinfo=UTC),
        end=datetime(2026, 11, 28, tzinfo=UTC),
    )
    assert times(days, 0, 1) == ["11-27 09:30"]
    assert days.after(at("2026-11-27T09:30")) is None


def test_a_pattern_that_never_meets_its_calendar_never_comes() -> None:
    assert timing(cron="0 0 1 1 *", tz="America/New_York", calendar="XNYS").after(at("2026-01-02T00:00")) is None


def test_a_run_is_missed_when_the_session_is_over() -> None:
    opening = timing(calendar="XNYS", session="open")
    assert opening.is_missed(at("2026-11-25T09:30"), at("2026-11-25T09:32"))
    assert not opening.is_missed(at("2026-11-25T09:30"), at("2026-11-25T09:30") + 30_000)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cron": "0 0 * * *", "calendar": "XNYZ"}, "no calendar 'XNYZ'"),
        ({"cron": "0 0 * * *", "calendar": ""}, "calendar must"),
        ({"cron": "0 0 * * *", "calendar": "XNYS", "during": "night"}, "during must be"),
        ({"cron": "0 0 * * *", "during": "hours"}, "during belongs to a calendar"),
        ({"calendar": "XNYS"}, "a calendar belongs to a cron pattern or a session; got calendar='XNYS' alone"),
        ({"every": "5m", "calendar": "XNYS"}, "a calendar belongs to a cron pattern or a session"),
        ({"session": "open"}, "session needs the calendar"),
        ({"session": "open", "calendar": "XNYS", "cron": "0 0 * * *"}, "leave cron out"),
        ({"session": "open", "calendar": "XNYS", "tz": "UTC"}, "leave tz out"),
        ({"session": "noon", "calendar": "XNYS"}, "session must be 'open' or 'close'"),
        ({"session": "open+13h", "calendar": "XNYS"}, "at most 12h"),
        ({"session": "open+x", "calendar": "XNYS"}, "must be a duration"),
        ({"session": 5, "calendar": "XNYS"}, "session must be 'open' or 'close'"),
        ({"cron": "0 0 * * *", "calendar": "XNYS", "immediately": True}, "immediately belongs"),
    ],
)
def test_a_mistake_is_named(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidOption, match=complaint):
        timing(**options)


def test_a_calendar_that_ends_says_so() -> None:
    known = TradingCalendar("XBOM", NEW_YORK, [date(2026, 1, 5)], [10], [20], [None])
    with pytest.raises(InvalidOption, match="XBOM is known until 2026-01-05"):
        known.next_session(SessionRule("open", 0), 10)
    assert known.next_session(SessionRule("close", -5), 10) == 15


def test_a_calendar_reaches_over_the_end_of_its_years() -> None:
    newest = trading_calendar("XNYS", at("2030-12-31T23:00"))
    assert newest.next_session(SessionRule("open", 0), at("2030-12-31T23:00")) == at("2031-01-02T09:30")

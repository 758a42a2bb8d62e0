"""When a schedule runs, in words."""

import pytest

from stockyard.dashboard.schedule_words import cron_words, every, in_words
from stockyard.model.schedule import Timing


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("* * * * *", "every minute"),
        ("* * * * * *", "every second"),
        ("*/5 * * * * *", "every 5 seconds"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0 * * * *", "every hour at :00"),
        ("30 */4 * * *", "every 4 hours at :30"),
        ("0 18 * * MON-FRI", "at 18:00 on weekdays"),
        ("0 18 * * 1-5", "at 18:00 on weekdays"),
        ("0 30 16 * * *", "at 16:30 every day"),
        ("15 30 16 * * *", "at 16:30:15 every day"),
        ("0 9 * * MON,WED", "at 09:00 on Mondays and Wednesdays"),
        ("0 9 * * 0", "at 09:00 on Sundays"),
        ("0 9 1 * *", "at 09:00 on day 1 of the month"),
        ("0 9 L * *", "at 09:00 on the last day of the month"),
        ("0 9 1 1 *", "at 09:00 on day 1 in January"),
        ("*/15 9-16 * * MON-FRI", "every 15 minutes from 09:00 to 16:59 on weekdays"),
        ("*/5 * * * MON-FRI", "every 5 minutes on weekdays"),
        ("0 9 * * 5#1", "by the pattern 0 9 * * 5#1"),
        ("1,2 3 * * *", "by the pattern 1,2 3 * * *"),
        ("0 9 1 * 1", "by the pattern 0 9 1 * 1"),
        ("0 9 1 JAN *", "by the pattern 0 9 1 JAN *"),
        ("nonsense", "by the pattern nonsense"),
    ],
)
def test_a_pattern_is_said(pattern: str, words: str) -> None:
    assert cron_words(pattern) == words


def test_an_interval_is_said_in_its_largest_unit() -> None:
    assert [every(5000), every(60_000), every(7_200_000), every(86_400_000), every(250)] == [
        "every 5 seconds",
        "every minute",
        "every 2 hours",
        "every day",
        "every 250 ms",
    ]


def test_zone_calendar_and_limit_follow() -> None:
    new_york = Timing(cron="0 18 * * MON-FRI", tz="America/New_York", limit=1000)
    assert in_words(new_york) == "at 18:00 on weekdays, in New York, 1,000 times in all"
    session = Timing(cron="45 9 * * 1-5", tz="America/New_York", calendar="XNYS", session="open+15m")
    assert in_words(session) == "15m after the open, on trading days of XNYS"
    hours = Timing(cron="*/5 * * * *", calendar="XNYS", during="hours")
    assert in_words(hours) == "every 5 minutes, on trading hours of XNYS"
    assert in_words(Timing(every_ms=5000)) == "every 5 seconds"
    assert in_words(Timing(cron="0 16 * * *", calendar="XLON", session="close")).startswith("at the close")

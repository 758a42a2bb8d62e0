"""Says in words when a schedule runs. Pure."""

from __future__ import annotations

import re

from stockyard.model.schedule import Timing

_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))
_DAYS = {"MON-FRI": "on weekdays", "1-5": "on weekdays", "SAT,SUN": "on weekends", "6,0": "on weekends"}
_DAY_NAMES = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SHORT = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("January February March April May June July August September October November December").split()
_SESSION = re.compile(r"(open|close)(?:([+-])(.+))?")


def in_words(timing: Timing) -> str:
    """Return when runs come: ``every 5 seconds``, ``at 18:00 on weekdays, in New York``."""
    if timing.session is not None:
        words = _session(timing.session)
    elif timing.every_ms is not None:
        words = every(timing.every_ms)
    else:
        words = cron_words(timing.cron or "")
    if timing.calendar is not None:
        words += f", on trading {'hours' if timing.during == 'hours' else 'days'} of {timing.calendar}"
    elif timing.tz is not None:
        words += f", in {timing.tz.rpartition('/')[2].replace('_', ' ')}"
    if timing.limit is not None:
        words += f", {timing.limit:,} times in all"
    return words


def every(milliseconds: int) -> str:
    """Return an interval in words."""
    for size, unit in _UNITS:
        if milliseconds % size == 0:
            number = milliseconds // size
            return f"every {unit}" if number == 1 else f"every {number:,} {unit}s"
    return f"every {milliseconds:,} ms"


def cron_words(pattern: str) -> str:
    """Return a pattern in words, or as it is where it has no simple ones."""
    fields = pattern.upper().split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        return f"by the pattern {pattern}"
    second, minute, hour, day, month, weekday = fields
    time, days = _time(second, minute, hour), _days(day, month, weekday)
    if time is None or days is None:
        return f"by the pattern {pattern}"
    return f"{time} {days}".strip() if days else (time if time.startswith("every") else f"{time} every day")


def _time(second: str, minute: str, hour: str) -> str | None:
    if second.isdecimal() and minute.isdecimal() and hour.isdecimal():
        shown = f"{int(hour):02}:{int(minute):02}"
        return f"at {shown}:{int(second):02}" if int(second) else f"at {shown}"
    if hour != "*":
        return _at_hours(minute, hour) if second == "0" else None
    if minute == "*":
        if second == "0":
            return "every minute"
        if second == "*":
            return "every second"
        return f"every {int(second[2:])} seconds" if _is_step(second) else None
    if second != "0":
        return None
    if _is_step(minute):
        return f"every {int(minute[2:])} minutes"
    if minute.isdecimal():
        return f"every hour at :{int(minute):02}"
    return None


def _at_hours(minute: str, hour: str) -> str | None:
    if _is_step(hour) and minute.isdecimal():
        return f"every {int(hour[2:])} hours at :{int(minute):02}"
    found = re.fullmatch(r"(\d+)-(\d+)", hour)
    if found and minute.isdecimal():
        return f"every hour at :{int(minute):02} from {int(found[1]):02}:00 to {int(found[2]):02}:59"
    if found and _is_step(minute):
        return f"every {int(minute[2:])} minutes from {int(found[1]):02}:00 to {int(found[2]):02}:59"
    return None


def _days(day: str, month: str, weekday: str) -> str | None:
    if month not in ("*", "?") and not (month.isdecimal() and 1 <= int(month) <= 12 and day.isdecimal()):
        return None
    in_month = f" in {_MONTHS[int(month) - 1]}" if month.isdecimal() else " of the month"
    if weekday in ("*", "?"):
        if day in ("*", "?"):
            return ""
        if day == "L":
            return f"on the last day{in_month}"
        return f"on day {int(day)}{in_month}" if day.isdecimal() else None
    if day not in ("*", "?"):
        return None
    if weekday in _DAYS:
        return _DAYS[weekday]
    names = [_day_name(each) for each in weekday.split(",")]
    return None if None in names else "on " + " and ".join(filter(None, names))


def _day_name(text: str) -> str | None:
    if text in _SHORT:
        return _DAY_NAMES[_SHORT.index(text)]
    return _DAY_NAMES[int(text)] if text.isdecimal() and int(text) <= 7 else None


def _is_step(text: str) -> bool:
    return text.startswith("*/") and text[2:].isdecimal()


def _session(text: str) -> str:
    found = _SESSION.fullmatch(text)
    if found is None:
        return f"at {text}"
    if not found[3]:
        return f"at the {found[1]}"
    return f"{found[3]} {'after' if found[2] == '+' else 'before'} the {found[1]}"

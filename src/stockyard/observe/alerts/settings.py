"""Thresholds and notifiers of alerts, from the environment and ``.env``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from stockyard.config import read_environment
from stockyard.errors import ConfigError, InvalidOption
from stockyard.model.duration import milliseconds
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.alerts.notifiers import Apprise, LogNotifier, Notifier, Webhook

_PREFIX = "STOCKYARD_ALERT_"
_DURATIONS = ("active", "oldest_waiting", "schedule_late", "no_worker", "effects_unknown", "limits_frozen")


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How a process watches.

    Attributes:
        thresholds: ``STOCKYARD_ALERT_WAITING``, ``_FAILED``, ``_ACTIVE``, ``_OLDEST_WAITING``,
            ``_SCHEDULE_LATE``, ``_NO_WORKER``, ``_EFFECTS_UNKNOWN``, ``_LIMITS_FROZEN``, ``_MEMORY``; see
            ``Thresholds``.
        notifiers: the log; with ``STOCKYARD_ALERT_WEBHOOK`` and ``STOCKYARD_ALERT_APPRISE`` (URLs) those, too;
            several apart by spaces.
        interval: ``STOCKYARD_ALERT_INTERVAL``, seconds between two looks. Defaults to 15.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    notifiers: tuple[Notifier, ...] = (LogNotifier(),)
    interval: float = 15.0

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, dotenv: Path | str | None = ".env"
    ) -> AlertSettings:
        """Read the settings.

        Args:
            environ: defaults to the process environment.
            dotenv: file of defaults below the environment; None reads none. Defaults to ``.env``.

        Raises:
            ConfigError: one message that names every wrong value.
        """
        given = read_environment(environ, dotenv)
        problems: list[str] = []
        settings = cls(
            _thresholds(given, problems),
            (LogNotifier(), *_notifiers(given, problems)),
            _span(given.get(f"{_PREFIX}INTERVAL") or "15s", f"{_PREFIX}INTERVAL", problems, least=0.1),
        )
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            raise ConfigError(f"{len(problems)} wrong setting{'s' if len(problems) > 1 else ''}:\n{lines}")
        return settings


def _thresholds(given: Mapping[str, str], problems: list[str]) -> Thresholds:
    chosen: dict[str, Any] = {}
    for threshold in fields(Thresholds):
        name = f"{_PREFIX}{threshold.name.upper()}"
        text = (given.get(name) or "").strip()
        if not text:
            continue
        if threshold.name in _DURATIONS:
            chosen[threshold.name] = _span(text, name, problems)
        elif threshold.name == "memory":
            chosen[threshold.name] = _number(text, name, problems, "a share between 0 and 1, such as 0.9", most=1)
        else:
            chosen[threshold.name] = _number(text, name, problems, "a whole number")
    return Thresholds(**chosen)


def _notifiers(given: Mapping[str, str], problems: list[str]) -> list[Notifier]:
    found: list[Notifier] = []

    def add(variable: str, make: Callable[[], Notifier]) -> None:
        try:
            found.append(make())
        except ConfigError as error:
            problems.append(f"{_PREFIX}{variable}: {error}")

    for url in given.get(f"{_PREFIX}WEBHOOK", "").split():
        add("WEBHOOK", partial(Webhook, url))
    if urls := given.get(f"{_PREFIX}APPRISE", "").split():
        add("APPRISE", partial(Apprise, tuple(urls)))
    return found


def _span(text: str, name: str, problems: list[str], *, least: float = 0.0) -> float:
    try:
        found = milliseconds(float(text) if text.replace(".", "", 1).isdecimal() else text, option=name) / 1000
    except InvalidOption as error:
        problems.append(str(error))
        return least
    if found < least:
        problems.append(f"{name} must be {least:g} s or more; got {text!r}")
    return found


def _number(text: str, name: str, problems: list[str], expected: str, *, most: float = math.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most or (expected.startswith("a whole") and not value.is_integer()):
        problems.append(f"{name} must be {expected}; got {text!r}")
        return 0.0
    return value

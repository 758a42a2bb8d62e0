"""`stockyard alerts`: list what fires and what was notified, silence rules, and test notifiers."""

from __future__ import annotations

import logging
import time
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard._aio.stop_signals import stop_signals
from stockyard._logging import LogFormat, configure_logging
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, say, show_json, show_table, when
from stockyard.cli.options import AsJson, Span
from stockyard.errors import InvalidOption, NotificationFailed
from stockyard.observe.alerts.default_rules import every_rule
from stockyard.observe.alerts.incidents import Incident, Silence, Status
from stockyard.observe.alerts.prometheus_rules import PAGES, rule_file
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.alerts.silencing import silence_existing

alerts = Command(name="alerts", help="Watch the queues and the server, and see what fires.")

_log = logging.getLogger(__name__)
_COLUMNS = ("status", "rule", "queue", "since", "value", "threshold", "action")


@alerts.command(name="list")
async def list_alerts(
    *, history: int = 0, silences: bool = False, connection: Connection = DEFAULT, json: AsJson = False
) -> None:
    """List what is pending or firing now, as the monitoring process of this App last saw it.

    Args:
        history: list so many of the latest notifications instead.
        silences: list the silences instead.
    """
    if history < 0:
        raise InvalidOption(f"--history must be 0 or more; got {history}")
    found = await _read(connection, history, silences)
    if json:
        show_json(found)
    elif silences:
        held = [each for each in found if isinstance(each, Silence)]
        rows = [(each.rule, each.subject, when(each.until), each.reason) for each in held]
        show_table(("rule", "queue", "until", "reason"), rows)
    else:
        show_table(
            _COLUMNS, [_row(each) for each in found if isinstance(each, Incident)], right=("value", "threshold")
        )


@alerts.command
async def silence(
    rule: Annotated[str | None, Parameter(help="Name of the rule, or * for all.")] = None,
    queue: Annotated[str | None, Parameter(help="Name of the queue, 'server', or * for all.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", negative="", help="Every rule of every queue.")] = False,
    duration: Annotated[Span, Parameter(name="--for", help="For how long, 1h by default.")] = "1h",
    reason: str = "",
    end: Annotated[bool, Parameter(help="End the silence instead.")] = False,
    connection: Connection = DEFAULT,
) -> int:
    """Send no notification of a rule or a queue for a time; what still fires afterwards is sent then."""
    if every and (rule is not None or queue is not None):
        raise InvalidOption("--all silences every rule of every queue: give it without a rule and a queue")
    if not every and rule is None:
        raise InvalidOption("name what to silence: RULE, RULE QUEUE, '*' QUEUE for a queue, or --all")
    chosen = _or_none(rule), _or_none(queue)
    if end:
        async with connection.open() as app:
            was_there = await app.alerts.unsilence(*chosen)
        print("the silence is over" if was_there else "there was no such silence")
        return 0 if was_there else 1
    made = await _silence(connection, *chosen, duration or "1h", reason)
    say(f"{made.name} is silenced until {when(made.until)}")
    return 0


@alerts.command
async def test(*, connection: Connection = DEFAULT) -> int:  # noqa: PT028
    """Send a test notification, which names the App and its server, by every means of the environment; the exit
    status is 1 when one fails. Asks no server of queues."""
    return await _test(connection.heading(connection.open()))


@alerts.command
async def watch(*, log_format: LogFormat | None = None, connection: Connection = DEFAULT) -> None:
    """Watch until stopped. Workers do so, too; of all, one looks at a time.

    Args:
        log_format: text or json; text by default.
    """
    configure_logging(log_format or "text", force=log_format is not None)
    with stop_signals() as stopped:
        async with connection.open() as app:
            settings = AlertSettings.load()
            alert_monitor = app.alert_monitor(settings)
            await alert_monitor.start()
            names = ", ".join(notifier.name for notifier in settings.notifiers)
            _log.info("watching %s every %g s; notifying by %s", app.topology.name, settings.interval, names)
            await stopped.wait()
            await alert_monitor.stop()


@alerts.command
def rules(*, pages: str = PAGES, connection: Connection = DEFAULT) -> None:
    """Print the rules as a file for Prometheus, with the queues of --app and the thresholds of the environment.

    Args:
        pages: address of the incident pages that alerts link to; docs/incidents by default.
    """
    thresholds = AlertSettings.load().thresholds
    print(rule_file(every_rule(connection.topology(), thresholds), pages=pages), end="")


async def _read(connection: Connection, history: int, silences: bool) -> list[Incident] | list[Silence]:
    async with connection.open() as app:
        if silences:
            return await app.alerts.silences()
        return await (app.alerts.history(history) if history else app.alerts.incidents())


async def _silence(
    connection: Connection, rule: str | None, queue: str | None, duration: str, reason: str
) -> Silence:
    async with connection.open() as app:
        return await silence_existing(app.alerts, app.topology, rule, queue, duration=duration, reason=reason)


async def _test(about: str) -> int:
    now = int(time.time() * 1000)
    incident = Incident(
        "test",
        "server",
        Status.FIRING,
        now,
        1,
        0,
        "nothing: this is a test",
        f"server: a test of the alerts of {about}",
        at=now,
    )
    failures = 0
    for notifier in AlertSettings.load().notifiers:
        try:
            await notifier.notify(incident)
            say(f"notified by {notifier.name}")
        except NotificationFailed as error:
            failures += 1
            complain(f"not notified by {notifier.name}: {error}")
    return 1 if failures else 0


def _row(incident: Incident) -> tuple[object, ...]:
    return (
        incident.status.upper(),
        incident.rule,
        incident.subject,
        when(incident.since),
        f"{incident.value:g}",
        f"{incident.threshold:g}",
        incident.action,
    )


def _or_none(text: str | None) -> str | None:
    return None if text == "*" else text

"""What becomes of alerts over time."""

from stockyard.observe.alerts.incidents import (
    MAX_RESOLVE_RETRY_MS,
    Incident,
    Silence,
    Status,
    advance,
    notified,
    pending_notifications,
)
from stockyard.observe.alerts.rules import Alert

HIGH = Alert("waiting", "orders", 101, 100, "scale workers", "orders: 101 wait")
FAILED = Alert("failed", "mail", 51, 50, "investigate", "mail: 51 failed")
Known = dict[str, Incident]


def look(known: Known, *alerts: Alert, now: int, for_ms: int = 0) -> Known:
    return advance(known, alerts, {"waiting": for_ms}, now=now)


def notify(known: Known, *names: str, now: int, silences: tuple[Silence, ...] = ()) -> list[tuple[str, str, str]]:
    """Deliver what is due to these notifiers; return what was told."""
    due = pending_notifications(list(known.values()), silences, names or ("log",), now=now)
    for incident, name in due:
        after = notified(known.pop(incident.name, incident), [name])
        if after is not None:
            known[incident.name] = after
    return [(incident.name, str(incident.status), name) for incident, name in due]


def test_an_alert_is_told_once_and_its_end_once() -> None:
    known = look({}, HIGH, now=1)
    assert notify(known, now=1) == [("waiting/orders", "firing", "log")]
    known = look(known, HIGH, now=2)
    assert notify(known, now=2) == []
    known = look(known, now=3)
    assert notify(known, now=3) == [("waiting/orders", "resolved", "log")]
    assert known == {}


def test_it_fires_only_after_it_held_for_so_long() -> None:
    known = look({}, HIGH, now=1_000, for_ms=500)
    assert [each.status for each in known.values()] == [Status.PENDING]
    assert notify(known, now=1_000) == []
    known = look(known, HIGH, now=1_499, for_ms=500)
    assert notify(known, now=1_499) == []
    known = look(known, HIGH, now=1_500, for_ms=500)
    assert notify(known, now=1_500) == [("waiting/orders", "firing", "log")]
    assert known["waiting/orders"].since == 1_000


def test_one_that_ends_before_it_fires_is_never_told() -> None:
    known = look(look({}, HIGH, now=1, for_ms=500), now=2, for_ms=500)
    assert known == {}


def test_its_value_is_that_of_the_last_look_and_its_beginning_the_first() -> None:
    known = look(look({}, HIGH, now=1), Alert("waiting", "orders", 300, 100, "x", "300 wait"), now=9)
    (incident,) = known.values()
    assert (incident.value, incident.message, incident.since) == (300, "300 wait", 1)


def test_each_notifier_is_told_until_it_took_it_and_the_others_are_not_told_again() -> None:
    known = look({}, HIGH, now=1)
    assert notify(known, "log", now=1) == [("waiting/orders", "firing", "log")]
    assert notify(known, "log", "webhook", now=2) == [("waiting/orders", "firing", "webhook")]
    known = look(known, now=3)
    assert notify(known, "log", now=3) == [("waiting/orders", "resolved", "log")]
    assert notify(known, "log", "webhook", "mail", now=4) == [("waiting/orders", "resolved", "webhook")]
    assert known == {}


def test_an_end_that_nobody_takes_is_given_up_after_an_hour() -> None:
    known = look({}, HIGH, now=1)
    notify(known, now=1)
    known = look(known, now=2)
    known = look(known, now=2 + MAX_RESOLVE_RETRY_MS - 1)
    assert [each.status for each in known.values()] == [Status.RESOLVED]
    assert look(known, now=2 + MAX_RESOLVE_RETRY_MS) == {}


def test_one_that_comes_again_fires_again() -> None:
    known = look({}, HIGH, now=1)
    notify(known, now=1)
    known = look(known, now=2)
    notify(known, now=2)
    known = look(known, HIGH, now=3)
    assert notify(known, now=3) == [("waiting/orders", "firing", "log")]


def test_a_silence_covers_its_rule_its_queue_or_both_until_it_ends() -> None:
    known = look({}, HIGH, FAILED, now=1)
    assert notify(known, now=1, silences=(Silence("waiting", None, 10), Silence(None, "mail", 10))) == []
    assert notify(known, now=1, silences=(Silence("waiting", "mail", 10), Silence("failed", "mail", 10))) == [
        ("waiting/orders", "firing", "log")
    ]
    assert notify(known, now=10, silences=(Silence(None, None, 10),)) == [("failed/mail", "firing", "log")]


def test_what_began_and_ended_in_silence_is_never_told() -> None:
    hush = (Silence(None, None, 100),)
    known = look({}, HIGH, now=1)
    assert notify(known, now=1, silences=hush) == []
    assert look(known, now=2) == {}

"""`stockyard job promote`, `data`, `priority` and the others that change jobs, on a real server."""

from typing import Any

from tests.integration.cli.conftest import Run


def shown(run: Run, job_id: str = "1") -> dict[str, Any]:
    found: Any = run("job", "show", "mail", job_id, "--json").json()
    return dict(found)


def test_a_delayed_job_is_changed_and_promoted(run: Run) -> None:
    run("job", "add", "mail", "welcome", '{"a": 1}', "--delay", "1h")
    assert run("job", "delay", "mail", "1", "2h") == (0, "", "")
    assert run("job", "priority", "mail", "1", "4").status == 0
    assert run("job", "data", "mail", "1", '{"b": [2]}').status == 0
    found = shown(run)
    assert (found["delay_ms"], found["priority"], found["data"]) == (7_200_000, 4, {"b": [2]})
    assert run("job", "promote", "mail", "1").status == 0
    assert shown(run)["state"] == "prioritized"
    late = run("job", "delay", "mail", "1", "1h")
    assert (late.status, late.err) == (2, "stockyard: job 1 of queue 'mail' is not delayed\n")


def test_a_job_goes_before_those_of_its_priority(run: Run) -> None:
    for _ in range(2):
        run("job", "add", "mail", "welcome", "--priority", "4")
    assert run("job", "priority", "mail", "2", "4", "--lifo").status == 0
    listed: Any = run("job", "list", "mail", "prioritized", "--oldest-first", "--json").json()
    assert [each["id"] for each in listed] == ["2", "1"]


def test_a_line_is_logged(run: Run) -> None:
    run("job", "add", "mail", "welcome")
    assert run("job", "log", "mail", "1", "looked at by Ada").status == 0
    assert run("job", "logs", "mail", "1").out == "looked at by Ada\n"


def test_jobs_are_removed_with_their_children_or_without(run: Run, raw: Any, prefix: str) -> None:
    for job_id in ("top", "low", "alone", "child"):
        run("job", "add", "mail", "welcome", "--id", job_id)
    for parent, child in (("top", "low"), ("alone", "child")):
        raw.sadd(f"{prefix}:mail:{parent}:dependencies", f"{prefix}:mail:{child}")
    assert run("job", "remove", "mail", "top").status == 0
    assert run("job", "remove", "mail", "alone", "--keep-children").status == 0
    listed: Any = run("job", "list", "mail", "waiting", "--json").json()
    assert [each["id"] for each in listed] == ["child"]


def test_attempts_are_counted_anew(run: Run, raw: Any, prefix: str) -> None:
    for _ in range(2):
        run("job", "add", "mail", "welcome")
    raw.delete(f"{prefix}:mail:wait")
    raw.zadd(f"{prefix}:mail:failed", {"1": 1, "2": 1})
    for job_id in ("1", "2"):
        raw.hset(f"{prefix}:mail:{job_id}", mapping={"atm": 3, "ats": 3})
    assert run("job", "retry", "mail", "1").status == 0
    assert run("job", "retry", "mail", "2", "--reset-attempts").status == 0
    assert [shown(run, job_id)["attempts_made"] for job_id in ("1", "2")] == [3, 0]


def test_mistakes_are_named(run: Run) -> None:
    run("job", "add", "mail", "welcome")
    for command in (("retry", "mail"), ("promote", "mail"), ("remove", "mail")):
        assert run("job", *command).err == "stockyard: give the id of at least one job\n"
    assert run("job", "promote", "mail", "9").err == "stockyard: queue 'mail' has no job '9'\n"
    assert "priority must be a whole number" in run("job", "priority", "mail", "1", "9999999").err
    assert "expected a duration" in run("job", "delay", "mail", "1", "soon").err
    assert "must be JSON text" in run("job", "data", "mail", "1", "{").err
    assert shown(run)["data"] == {}

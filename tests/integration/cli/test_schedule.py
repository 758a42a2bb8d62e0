"""`stockyard schedule`, on a real server."""

from typing import Any

from tests.integration.cli.conftest import Run, Start


def record_of(run: Run, *arguments: str) -> Any:
    said = run("schedule", *arguments, "--json")
    assert said.status == 0, said.err
    return said.json()


def test_a_schedule_is_made_listed_changed_and_removed(run: Run) -> None:
    made = record_of(
        run, "upsert", "mail", "digest", "--cron", "0 18 * * MON-FRI", "--tz", "America/New_York", "--limit", "3",
        "--name", "welcome", "--data", '{"name": "Ada"}', "--misfire", "skip", "--overlap", "skip",
        "--priority", "2", "--start", "2040-01-01T00:00:00Z",
    )  # fmt: skip
    assert made["data"] == {"name": "Ada"}
    assert (made["queue"], made["id"], made["name"], made["limit"]) == ("mail", "digest", "welcome", 3)
    assert (made["cron"], made["tz"], made["has_next"], made["runs_made"]) == (
        "0 18 * * MON-FRI", "America/New_York", True, 1,
    )  # fmt: skip
    assert run("schedule", "next", "mail", "digest").out.splitlines() == [
        "2040-01-02 23:00:00.000Z",
        "2040-01-03 23:00:00.000Z",
        "2040-01-04 23:00:00.000Z",
    ]
    assert record_of(run, "next", "mail", "digest", "--count", "1") == [made["next_run"]]
    changed = run(
        "schedule",
        "upsert",
        "mail",
        "digest",
        "--every",
        "1h",
        "--no-check",
        "--start",
        "2041-01-01T00:00:00+01:00",
    )
    assert changed == (0, "2040-12-31 23:00:00.000Z\n", "")
    assert "no handler for job name" in run("schedule", "upsert", "parcels", "sweep", "--every", "90s").err
    run("schedule", "upsert", "parcels", "sweep", "--name", "send", "--every", "90s", "--misfire", "run_all")
    listed = run("schedule", "list").out
    assert listed.index("sweep") < listed.index("digest")
    assert all(
        each in listed for each in ("every 90s", "every 1h", "missed runs: all", "2040-12-31 23:00:00.000Z")
    )
    assert [each["id"] for each in record_of(run, "list", "parcels")] == ["sweep"]
    assert run("schedule", "remove", "mail", "digest").status == 0
    again = run("schedule", "remove", "mail", "digest")
    assert (again.status, again.err) == (2, "stockyard: queue 'mail' has no schedule 'digest'\n")
    assert [each["id"] for each in record_of(run, "list")] == ["sweep"]


def test_a_schedule_may_keep_to_an_exchange(run: Run) -> None:
    where = ("--name", "welcome", "--no-check", "--start", "2030-11-28T00:00:00Z", "--calendar", "XNYS")
    made = record_of(run, "upsert", "mail", "close", "--session", "close-5m", *where)
    assert (made["calendar"], made["during"], made["session"]) == ("XNYS", None, "close-5m")
    made = record_of(run, "upsert", "mail", "mark", "--cron", "0 * * * *", "--during", "hours", "--tz=UTC", *where)
    assert (made["calendar"], made["during"], made["session"]) == ("XNYS", "hours", None)
    assert run("schedule", "next", "mail", "close", "--count=1").out == "2030-11-29 17:55:00.000Z\n"
    listed = run("schedule", "list").out
    assert all(each in listed for each in ("close-5m of XNYS", "hours of XNYS", "2030-11-29 15:00:00.000Z"))
    refused = run("schedule", "upsert", "mail", "close", "--session", "noon", *where)
    assert refused.status == 2
    assert "session must be 'open' or 'close'" in refused.err


def test_a_schedule_s_job_is_run_now(run: Run, start: Start) -> None:
    run(
        "schedule",
        "upsert",
        "mail",
        "digest",
        "--cron",
        "@yearly",
        "--name",
        "welcome",
        "--data",
        '{"name":"Ada"}',
    )
    added = run("schedule", "run", "mail", "digest")
    assert added.status == 0
    job_id = added.out.strip()
    shown = run("job", "show", "mail", job_id, "--json").json()
    assert isinstance(shown, dict)
    assert (shown["name"], shown["data"], shown["state"]) == ("welcome", {"name": "Ada"}, "waiting")
    assert run("schedule", "run", "mail", "nobody").err == "stockyard: queue 'mail' has no schedule 'nobody'\n"
    assert run("schedule", "next", "mail", "nobody").status == 2
    assert "--count must be 1 or more" in run("schedule", "next", "mail", "nobody", "--count=0").err


def test_what_is_wrong_is_one_line_and_changes_nothing(run: Run) -> None:
    for arguments, said in (
        (("--every", "1h", "--cron", "* * * * *"), "either every or cron"),
        (("--cron", "61 * * * *"), "minute"),
        (("--cron", "* * * * *", "--tz", "Moon"), "IANA"),
        (("--every", "1h", "--start", "2040-01-01T00:00:00"), "--start needs a zone"),
        (("--every", "often"), "expected a duration"),
        (("--every", "1h", "--data", "no json"), "the data must be JSON"),
    ):
        answer = run("schedule", "upsert", "mail", "digest", *arguments)
        assert answer.status == 2
        assert said in answer.err
    assert record_of(run, "list") == []

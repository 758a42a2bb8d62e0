"""`stockyard queue pause`, `drain`, `clean` and the others, on a real server."""

import asyncio
import io
from collections.abc import Callable
from typing import Any, get_args

import pytest

from stockyard import App, JobState
from stockyard.cli.options import EndedStateName, StateName
from stockyard.model.job import ENDED_STATES
from stockyard.produce.browse import LISTED_STATES
from tests.integration.cli.conftest import Run, Start
from tests.integration.cli.shop import shop


class Terminal(io.StringIO):
    """A person's answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def fill(redis_url: str, prefix: str) -> Callable[..., None]:
    """Adds a plain, a prioritized and a delayed job to ``mail``."""

    async def add() -> None:
        async with App(shop, redis_url, prefix=prefix) as app:
            mail = app.queue("mail")
            await mail.add_many([("welcome",), ("welcome", {}, {"priority": 1}), ("welcome", {}, {"delay": "1h"})])

    return lambda: asyncio.run(add())


def counts(run: Run) -> dict[str, int]:
    counted: Any = run("queue", "counts", "mail", "--json").json()
    return {state: number for state, number in counted["mail"].items() if number}


def test_queues_are_paused_and_resumed(run: Run, raw: Any, prefix: str) -> None:
    assert run("queue", "pause", "mail", "parcels") == (0, "", "")
    assert [raw.hexists(f"{prefix}:{name}:meta", "paused") for name in ("mail", "parcels", "returns")] == [1, 1, 0]
    assert run("queue", "resume", "mail").status == 0
    assert [raw.hexists(f"{prefix}:{name}:meta", "paused") for name in ("mail", "parcels")] == [0, 1]
    assert run("queue", "pause").status == 2
    wrong = run("queue", "pause", "returns", "male")
    assert (wrong.status, "did you mean 'mail'" in wrong.err) == (2, True)
    assert not raw.exists(f"{prefix}:returns:meta")


def test_limits_are_set_and_taken_off(run: Run, raw: Any, prefix: str) -> None:
    assert run("queue", "limit", "mail", "--concurrency", "3", "--rate", "10/s", "--pause-for", "1h").status == 0
    assert raw.hgetall(f"{prefix}:mail:meta") == {"concurrency": "3", "max": "10", "duration": "1000"}
    assert raw.pttl(f"{prefix}:mail:limiter") > 3_500_000
    assert (
        run("queue", "limit", "mail", "--concurrency", "none", "--rate", "none", "--clear-rate-limit").status == 0
    )
    assert raw.keys(f"{prefix}:*") == []
    assert "at least one of" in run("queue", "limit", "mail").err
    assert run("queue", "limit", "mail", "--concurrency", "0").status == 2


def test_what_waits_is_drained(run: Run, fill: Callable[[], None]) -> None:
    fill()
    assert run("queue", "drain", "mail", "--yes") == (0, "2 jobs removed\n", "")
    assert counts(run) == {"delayed": 1}
    assert run("queue", "drain", "mail", "--delayed", "-y", "--json").json() == {"queue": "mail", "removed": 1}
    assert counts(run) == {}


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed"])
def test_one_state_is_cleaned(run: Run, fill: Callable[[], None], state: str) -> None:
    fill()
    assert run("queue", "clean", "mail", state, "--older-than", "1h", "--yes").out == "0 jobs removed\n"
    job_id = {"waiting": "1", "prioritized": "2", "delayed": "3"}[state]
    said = run("queue", "clean", "mail", state, "--limit", "5", "--yes", "--json")
    assert said.json() == {"queue": "mail", "removed": [job_id]}
    assert sum(counts(run).values()) == 2


def test_a_queue_is_obliterated(run: Run, fill: Callable[[], None], raw: Any, prefix: str) -> None:
    fill()
    raw.lpush(f"{prefix}:mail:active", "9")
    refused = run("queue", "obliterate", "mail", "--yes")
    assert refused.status == 2
    assert "has running jobs" in refused.err
    assert run("queue", "obliterate", "mail", "--force", "--yes") == (0, "", "")
    assert raw.keys(f"{prefix}:*") == []


@pytest.mark.parametrize("order", [("drain", "mail"), ("clean", "mail", "waiting"), ("obliterate", "mail")])
def test_what_is_gone_for_good_is_asked_about(
    run: Run, fill: Callable[[], None], monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]
) -> None:
    fill()
    nobody = run("queue", *order)
    assert nobody.status == 2
    assert "give --yes" in nobody.err
    for answer in ("", "\n", "no\n"):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        said = run("queue", *order)
        assert said.status == 1
        assert said.err.startswith("Remove ")
        assert said.err.endswith("? [y/N] Nothing was changed.\n")
    assert sum(counts(run).values()) == 3
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run("queue", *order).status == 0
    assert counts(run).get("waiting") is None


def test_failed_and_delayed_jobs_run_again(run: Run, start: Start) -> None:
    worker = start("tests.integration.cli.shop:shop", "--queue", "mail")
    worker.wait_ready()
    for _ in range(2):
        assert run("job", "add", "mail", "bounce", "--wait", "10s").status == 1
    worker.process.terminate()
    assert worker.process.wait(60) == 0
    run("job", "add", "mail", "welcome", "--delay", "1h")

    assert run("queue", "retry", "mail", "--before", "2020-01-01").out == "0 jobs retried\n"
    assert run("queue", "retry", "mail", "--limit", "1").out == "1 job retried\n"
    assert run("queue", "retry", "mail", "failed", "--json").json() == {"queue": "mail", "retried": 1}
    assert run("queue", "retry", "mail", JobState.ACTIVE).status == 2
    assert run("queue", "promote", "mail").out == "1 job promoted\n"
    assert counts(run) == {"waiting": 3}


def test_a_limit_that_lets_nothing_run_is_refused(run: Run) -> None:
    refused = run("queue", "limit", "mail", "--concurrency", "0")
    assert refused.status == 2
    assert "--concurrency must be 1 or more, or none for no limit; got 0" in refused.err


def test_a_command_offers_only_states_that_it_takes(run: Run) -> None:
    for command in (["job", "list", "mail"], ["queue", "clean", "mail"]):
        states = run(*command, "unknown").err
        assert "waiting-children" in states
        assert "failed" in states
        assert states.count("unknown") == 1
    refused = run("queue", "retry", "mail", "active")
    assert refused.status == 2
    assert "completed" in refused.err
    assert "delayed" not in refused.err
    assert set(get_args(StateName)) == set(LISTED_STATES)
    assert set(get_args(EndedStateName)) == set(ENDED_STATES)

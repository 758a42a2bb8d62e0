"""`stockyard halt`, `resume` and `halts`: the kill switch from a shell."""

from typing import Any

from tests.integration.cli.conftest import Run
from tests.integration.cli.shop import shop

NAME = shop.names[0]


def test_a_queue_is_halted_listed_and_resumed(run: Run) -> None:
    halted = run("halt", NAME, "--reason", "runaway strategy", "--by", "ada")
    assert halted.status == 0
    assert f"{NAME} halted by ada: runaway strategy" in halted.out
    assert f"holds now: {NAME}" in halted.out
    assert "runaway strategy" in run("halts").out
    listed: Any = run("halts", "--json").json()
    assert [(each["queues"], each["by"], each["key"]) for each in listed] == [(NAME, "ada", None)]
    seen = run("health")
    assert seen.status == 1
    assert f"{NAME} (halted)" in seen.out
    assert "halted is 1, more than 0" in seen.err
    refused = run("queue", "resume", NAME)
    assert refused.status == 2
    assert "is halted, and not merely paused" in refused.err
    assert "halted by ada" in run("doctor").out

    assert run("resume", NAME, "--reason", "stopped").out.endswith(f"{NAME} is resumed\n")
    again = run("resume", NAME)
    assert again.status == 1
    assert "was not halted. Halted are: none" in again.err
    audit: Any = run("halts", "--audit", "--json").json()
    assert [each["action"] for each in audit] == ["resume", "resume", "halt"]
    assert audit[0]["by"].startswith("person (")
    assert "stopped" in run("halts", "--audit").out


def test_a_key_is_halted(run: Run) -> None:
    assert run("halt", "*", "--key", "account-1", "--reason", "margin call").status == 0
    assert "account-1" in run("halts").out
    assert run("resume", "*").status == 1
    assert run("resume", "*", "--key", "account-1").status == 0


def test_a_reason_is_asked_for(run: Run) -> None:
    assert run("halt", NAME).status == 2
    assert run("halt", NAME, "--reason", " ").status == 2


def test_a_pattern_that_nothing_matches_is_said(run: Run) -> None:
    halted = run("halt", "nothing:*", "--reason", "in case")
    assert halted.status == 0
    assert "no queue that is declared here matches 'nothing:*'" in halted.err

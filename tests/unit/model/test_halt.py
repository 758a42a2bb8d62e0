"""Halts: which queues they hold, and what of a job they may name."""

import pytest

from stockyard import JobOptions
from stockyard.model.halt import Halt, halt_keys


@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        ("execution:*", ["execution:orders", "execution:sync"]),
        ("execution:orders", ["execution:orders"]),
        ("*", ["execution:orders", "execution:sync", "portfolio"]),
        ("*:sync", ["execution:sync"]),
        ("Execution:*", []),
    ],
)
def test_a_pattern_holds_the_queues_of_its_form(pattern: str, held: list[str]) -> None:
    halt = Halt(queues=pattern, reason="r", by="ada", since=1)
    queues = ["execution:orders", "execution:sync", "portfolio"]
    assert [queue for queue in queues if halt.applies_to(queue)] == held


def test_it_names_a_job_by_its_key_and_its_scope() -> None:
    assert halt_keys(JobOptions()) == ()
    options = JobOptions().merged(key="BTC", scope={"account": "A1", "ip": "10.0.0.1"})
    assert halt_keys(options) == ("BTC", "A1", "10.0.0.1")


def test_it_says_who_and_why() -> None:
    halt = Halt(queues="execution:*", key="A1", reason="margin call", by="ada", since=1)
    assert str(halt) == "key A1 of execution:* halted by ada: margin call"

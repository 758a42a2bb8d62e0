"""Every statement of the document that started the project has its line, and what is said to show it exists."""

import re
import shlex

import pytest

from stockyard.cli import main
from stockyard.trading import PLATFORM, QueueName, QueuePriority
from tests.support.documents import ROOT

PAGE = (ROOT / "docs" / "explanation" / "requirements.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| asked", "|--"))
]
STATEMENTS = """
the Redis and BullMQ-based job queue infrastructure
Portfolio Service (Two-Tier Priority)
Execution Service
Strategy Service
Exchange Adapter
from '@ai-trader/shared'
{ userId, symbol, fillId }
JobProcessor<MyJobData>
{ name, waiting, active, completed, failed, delayed }
Single queue
All queues
Per ARCHITECTURE.md requirements
brew install redis
brew services start redis
apt-get install redis-server
systemctl start redis
Test connection
Environment variables in `.env`
Recommended Redis configuration
Default retry configuration
backoff: exponential, 1000
Queue-specific overrides
Monitor these metrics per queue
on high-priority queues
on any queue
Set up alerts
complete usage examples
Single Redis instance
Job queues (BullMQ)
Caching (Risk Service approvals, etc.)
Pub/Sub (future: real-time updates)
User queries, fill events
Price updates, snapshots
Order placement (rate-limited)
Periodic exchange sync
Signal generation
Backtest execution
Candle data ingestion
User-facing operations
Fill processing, position updates
Background reconciliation
User-facing, fast
Background, can wait
Rate-limited by API
I/O bound
CPU-light
CPU-intensive
Network I/O
Adding Jobs
Creating Workers
Monitoring Queue Health
Local Development
Production
maxmemory 2gb
maxmemory-policy allkeys-lru
appendonly yes
appendfsync everysec
REDIS_URL=redis://localhost:6379
REDIS_PASSWORD=
REDIS_DB=0
attempts: 3
1s, 2s, 4s
Order submission: 5 attempts (critical)
Backtests: 1 attempt (no retry)
Jobs waiting to be processed
Jobs currently processing
Successfully completed jobs
Failed jobs (needs investigation)
Jobs scheduled for future execution
waiting > 100
Scale workers
failed > 50
Investigate errors
stuck for > 5 minutes
Dead worker detection
queue-usage.ts
""".strip().splitlines()
HEADINGS = """
Overview, Queue architecture, queue names, Priority levels, Worker concurrency, Usage, Adding Jobs,
Creating Workers, Monitoring Queue Health, Redis setup, Local Development, Configuration, Production,
Job retry strategy, Monitoring, Queue Metrics, alerts, Examples
""".replace("\n", " ").split(", ")
COMMANDS = sorted({command for row in ROWS for command in re.findall(r"`([^`]+)`", row[2])})


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_has_its_line(statement: str) -> None:
    assert any(statement in row[0] for row in ROWS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_heading_has_its_part(heading: str) -> None:
    assert re.search(rf"^(#|\|).*{re.escape(heading.strip())}", PAGE, re.M)


def test_what_is_met_in_another_way_is_said() -> None:
    _, departures = PAGE.split("## Differences\n")
    assert "allkeys-lru" in departures
    assert "get_queue" in departures


def test_each_line_says_where_it_is_met_and_what_shows_it() -> None:
    assert [row for row in ROWS if len(row) != 3 or not all(row)] == []


def test_the_numbers_are_the_declared_ones() -> None:
    asked = dict(re.findall(r"^\| `([a-z:_]+)` (\d+) ", PAGE, re.M))
    assert {name: int(number) for name, number in asked.items()} == {
        spec.name: spec.concurrency for spec in PLATFORM
    }
    levels = dict(re.findall(r"^\| `([A-Z]+) = (\d+)`", PAGE, re.M))
    assert {name: int(number) for name, number in levels.items()} == {each.name: each for each in QueuePriority}
    assert all(f"QueueName.{each.name}" in PAGE for each in QueueName)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_shows_it_is_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command)
    match program:
        case "stockyard":
            words = [word for word in arguments if ":" not in word]
            assert main([*words, "--help"]) == 0
            assert "Usage" in capsys.readouterr().out
        case "python":
            assert (ROOT / arguments[0]).is_file()
        case _:
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.M)

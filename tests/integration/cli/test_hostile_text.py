"""Text that others wrote, on its way to an operator's terminal and log: nothing in it acts, no line is forged."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from stockyard._logging import JsonFormatter, TextFormatter, current_job
from tests.integration.cli.conftest import ROOT, SHOP, Run

FORGED = "2026-01-01 00:00:00 ERROR forged"
HOSTILE = f"\x1b]52;c;aGk=\x07\x9b31m\n{FORGED}\r\t\u202e\u2028[red]x[/red]\x7f"
STATES = ("wait", "active", "failed", "completed", "delayed", "prioritized", "waiting-children")


@pytest.fixture(autouse=True)
def _hostile_queue(raw: "redis.Redis", prefix: str) -> None:
    now = int(raw.time()[0]) * 1000
    base = f"{prefix}:mail:"
    for state in STATES:
        job = HOSTILE + state
        text = json.dumps({HOSTILE: [HOSTILE]})
        record: Any = {
            "name": HOSTILE, "data": text, "opts": json.dumps({"attempts": 1, "x": HOSTILE}), "timestamp": now,
            "processedOn": now - 9_000_000, "pb": HOSTILE, "failedReason": HOSTILE, "returnvalue": text,
            "stacktrace": json.dumps([f"Traceback\n  {HOSTILE}"]), "progress": text,
            "parentKey": HOSTILE, "atm": 1,
        }  # fmt: skip
        raw.hset(base + job, mapping=record)
        raw.rpush(f"{base}{job}:logs", HOSTILE)
        if state in ("wait", "active"):
            raw.lpush(base + state, job)
        else:
            raw.zadd(base + state, {job: 2**32 if state == "prioritized" else now})
        event: Any = {"event": "failed", "jobId": job, "failedReason": HOSTILE, "prev": HOSTILE}
        raw.xadd(f"{base}events", event)
        raw.xadd(f"{base}events", {"event": HOSTILE, "jobId": job, "x": HOSTILE})
    raw.zadd(f"{base}repeat", {HOSTILE: now - 9_000_000})
    raw.hset(
        f"{base}repeat:{HOSTILE}", mapping={"name": HOSTILE, "every": 5000, "ic": 1, "tz": HOSTILE, "data": text}
    )
    incident = {
        "rule": HOSTILE, "subject": HOSTILE, "status": "firing", "since": now, "value": 1, "threshold": 0,
        "action": HOSTILE, "message": HOSTILE, "notified": ["log"], "announced": ["log"], "at": now,
    }  # fmt: skip
    alerts = f"{prefix}::alerts:shop:"
    raw.hset(f"{alerts}incidents", f"{HOSTILE}/{HOSTILE}", json.dumps(incident))
    raw.lpush(f"{alerts}history", json.dumps(incident))
    silence = {"rule": HOSTILE, "subject": HOSTILE, "until": now + 3_600_000, "reason": HOSTILE}
    raw.hset(f"{alerts}silences", f"{HOSTILE}/{HOSTILE}", json.dumps(silence))


COMMANDS: list[list[str]] = [
    ["health"], ["health", "--json"], ["top", "--once"], ["top", "--once", "--json"], ["doctor"],
    ["alerts", "list"], ["alerts", "list", "--json"], ["alerts", "list", "--history=5"],
    ["alerts", "list", "--silences"],
    ["alerts", "silence", HOSTILE, "mail", "--reason", HOSTILE], ["alerts", "silence", "no\x1b", "mail"],
    ["queue", "counts", "mail"], ["queue", "counts", HOSTILE], ["queue", "workers"], ["queue", "metrics", "mail"],
    ["queue", "metrics", "mail", "--prometheus"], ["queue", "events", "mail"],
    ["queue", "events", "mail", "--json"],
    ["queue", "show", HOSTILE], ["queue", "drain", HOSTILE], ["queue", "events", "mail", "--only", HOSTILE],
    ["schedule", "list"], ["schedule", "list", "--json"], ["schedule", "next", "mail", HOSTILE],
    ["schedule", "run", "mail", HOSTILE], ["schedule", "remove", "mail", "no\x1b"],
    *(["job", "list", "mail", state.replace("wait", "waiting") if state == "wait" else state] for state in STATES),
    ["job", "list", "mail", "failed", "--json"],
    *(["job", "show", "mail", HOSTILE + state] for state in STATES),
    ["job", "show", "mail", HOSTILE + "failed", "--json"], ["job", "show", "mail", "no\x1b"],
    ["job", "logs", "mail", HOSTILE + "failed"], ["job", "logs", "mail", HOSTILE + "failed", "--json"],
    ["job", "add", "mail", HOSTILE, json.dumps(HOSTILE), "--id", HOSTILE],
    ["job", "retry", "mail", HOSTILE + "wait"],
    ["cache", "drop", HOSTILE], ["channel", "publish", HOSTILE, "1"], ["channel", "publish", "news", HOSTILE],
    ["alerts", "rules"], [HOSTILE], ["scripts", "show", HOSTILE], ["worker", HOSTILE], ["job", HOSTILE],
]  # fmt: skip


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda command: " ".join(command)[:40].encode("unicode_escape").decode()
)
def test_no_command_lets_foreign_text_act_on_the_terminal(run: Run, command: list[str]) -> None:
    has_where = command[0] not in (HOSTILE, "scripts", "worker")
    said = run(*command, app=SHOP if has_where else None)
    assert _acting(said.out) == set()
    assert _acting(said.err) == set()
    assert not [line for line in (said.out + said.err).splitlines() if line.startswith(FORGED)]
    if command[:2] in (["job", "list"], ["job", "show"]) and said.status == 0:
        assert "[red]x[/red]" in said.out
    if "--json" in command:
        for document in said.out.splitlines() if command[:2] == ["queue", "events"] else [said.out]:
            json.loads(document)


def test_a_followed_channel_shows_messages_as_text(run: Run, redis_url: str, prefix: str) -> None:
    where = [f"--redis-url={redis_url}", f"--prefix={prefix}", f"--app={SHOP}"]
    tail = [
        sys.executable,
        "-m",
        "stockyard.cli",
        "channel",
        "tail",
        "news",
        "--durable",
        "--after=0-0",
        "--count=1",
    ]
    run("channel", "publish", "news", json.dumps({HOSTILE: HOSTILE}), "--durable")
    for more in ([], ["--json"]):
        said = subprocess.run(
            [*tail, *where, *more], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        assert "forged" in said.stdout
        assert _acting(said.stdout) == set()


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO, logging.Handler]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("hostile")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream, handler
    logger.removeHandler(handler)


class _Job:
    queue, id, attempt = "mail", HOSTILE, 1
    has_lineage, correlation_id = True, HOSTILE


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_log_line_can_be_forged(
    written: tuple[logging.Logger, io.StringIO, logging.Handler], formatter: logging.Formatter
) -> None:
    logger, stream, handler = written
    handler.setFormatter(formatter)
    token = current_job.set(_Job())  # type: ignore[arg-type]
    try:
        logger.error("job %s failed", HOSTILE, extra={HOSTILE: HOSTILE})
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logger.exception(HOSTILE)
    finally:
        current_job.reset(token)
    text = stream.getvalue()
    assert _acting(text) == set()
    records = [line for line in text.splitlines() if not line.startswith("  ")]
    assert len(records) == 2
    if isinstance(formatter, JsonFormatter):
        assert [json.loads(line)["job"] for line in records] == [HOSTILE, HOSTILE]


def _acting(text: str) -> set[str]:
    """What a terminal would act on, besides tabs and the ends of lines."""
    return {each for each in text if each not in "\n\t" and not (each.isprintable() or each == "\u3000")}

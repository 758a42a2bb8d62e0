"""`stockyard outbox`, on SQLite; the relay as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from stockyard import ParentRef
from stockyard.cli import main
from stockyard.outbox import Outbox
from tests.integration.cli.shop import shop
from tests.outbox.databases import OwnDatabase
from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
APP = "--app=tests.integration.cli.shop:shop"


class Answer(NamedTuple):
    """What the command answered."""

    status: int
    out: str
    err: str


@pytest.fixture
def outbox(database: OwnDatabase) -> Outbox:
    """The outbox of the shop."""
    made = Outbox(shop)
    made.create_table(database.engine)
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Answer:
    return Answer(main(["outbox", *arguments]), *capsys.readouterr())


def test_a_relay_runs_until_it_is_stopped(
    database: OwnDatabase, outbox: Outbox, redis_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "stockyard.cli", "outbox", "relay", APP, f"--prefix={prefix}", "--poll=10ms"]
    environment = {**os.environ, "STOCKYARD_OUTBOX_DATABASE": database.url, "REDIS_URL": redis_url}
    with Forked(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT) as relay:
        with database.engine.begin() as connection:
            outbox.add(connection, "mail", "welcome", {"to": "a@b.c"})
        wait_until(lambda: outbox.status(database.engine).relayed == 1)
        relay.send_signal(signal.SIGTERM)
        _, log = relay.communicate()
    assert relay.returncode == 0
    assert "relaying stockyard_outbox" in log
    answer = run(capsys, "status", APP, f"--database={database.url}")
    assert (answer.status, answer.err) == (0, "")
    assert "relayed  1" in answer.out
    assert "leader   none" in answer.out


def test_what_failed_is_shown_and_can_be_retried(
    database: OwnDatabase, outbox: Outbox, redis_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.engine.begin() as connection:
        outbox.add(connection, "mail", "welcome", {"to": "a@b.c"}, parent=ParentRef("mail", "gone"))
        outbox.add(connection, "mail", "welcome", {"to": "a@b.c"})
    database.change("UPDATE stockyard_outbox SET failed_at = 1, error = 'no parent' WHERE sequence = 1")
    where = [APP, f"--database={database.url}"]
    answer = run(capsys, "status", *where)
    assert answer.status == 1
    assert "no parent" in answer.err
    assert "mail" in answer.out
    answer = run(capsys, "status", "--json", *where)
    seen = json.loads(answer.out)
    assert (seen["pending"], seen["failed"], seen["failures"][0]["sequence"]) == ({"mail": 1}, 1, 1)
    assert run(capsys, "retry", "2", *where).out == "0 to be relayed again\n"
    assert run(capsys, "retry", *where).out == "1 to be relayed again\n"
    assert outbox.status(database.engine).pending == {"mail": 2}


def test_the_statements_of_a_migration_are_printed(
    database: OwnDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "ddl", "sqlite").out == Outbox(shop).ddl("sqlite")
    assert "CREATE TABLE IF NOT EXISTS stockyard_inbox" in run(capsys, "ddl", "postgresql", "--inbox").out


def test_mistakes_are_one_line(database: OwnDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in [
        (["status", APP], "no database is named"),
        (["status", APP, f"--database={database.url}"], "no such table"),
        (["relay", APP, f"--database={database.url}"], "create_table"),
        (["status", APP, "--database=mysql://user:secret@h/x"], "driver"),
        (["status", APP, "--database=postgresql://user:secret@127.0.0.1:1/x"], "refused"),
        (["status", APP, "--database=x://user:secret@h"], "not usable"),
    ]:
        answer = run(capsys, *arguments)
        assert (answer.status, "secret" in answer.err, said in answer.err) == (2, False, True), answer

"""The command as a whole, where no server is asked."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import msgspec
import pytest
from cyclopts import App

from stockyard._store.scripts import names
from stockyard.cli import main
from stockyard.cli import program as program_module
from stockyard.trading import QueueName

Captured = pytest.CaptureFixture[str]
COMMANDS = """
alerts bench cache channel dashboard demo doctor health job metrics queue schedule scripts server top worker
""".split()
OPERATIONS = """
queue pause, queue resume, queue drain, queue clean, queue obliterate, schedule list, schedule next, schedule run,
schedule remove, worker list, alerts list, alerts silence, cache stats, cache drop, channel tail, channel publish,
job list, health, top, doctor, metrics serve, dashboard
""".replace("\n", " ").split(", ")


@pytest.mark.parametrize("command", program_module.COMMANDS)
def test_the_list_of_commands_says_what_each_says_itself(command: str) -> None:
    found: Any = getattr(import_module(f"stockyard.cli.{command}"), command)
    text = found.help if isinstance(found, App) else inspect.getdoc(found).partition("\n\n")[0]  # type: ignore[union-attr]
    assert program_module.COMMANDS[command] == " ".join(text.split())


def test_a_command_imports_no_other(capsys: Captured) -> None:
    program = """
import sys
from stockyard.cli import main
main(['scripts', 'list'])
print(*(name for name in ('stockyard.app.app', 'stockyard.cli.worker', 'asyncio') if name in sys.modules))
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == ""


def test_the_help_names_every_command(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [command for command in COMMANDS if f" {command} " not in shown] == []
    assert main([]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "bench"])
def test_every_command_has_a_help(command: str, capsys: Captured) -> None:
    assert main([command, "--help"]) == 0
    assert f"Usage: stockyard {command}" in capsys.readouterr().out


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_are_told_alike_where_they_work(operation: str, capsys: Captured) -> None:
    assert main([*operation.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert [option for option in ("--app", "--redis-url", "--prefix") if option not in shown] == []


def test_it_knows_its_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("stockyard")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["que"], "Unknown command"),
        (["job", "add", "portfolio:high_priority"], "requires an argument"),
        (["job", "add", "portfolio:high_priority", "query", "{user: 1}"], "the data must be JSON text"),
        (["job", "add", "portfolio:high_priority", "query", "--nice=1"], "Unknown option"),
        (
            ["job", "add", "portfolio:high_priority", "query", "--delay=soon"],
            "Invalid value for --delay",
        ),
        (["job", "list", "portfolio:high_priority", "lost"], "lost"),
        (["queue", "show", "portfolio:high"], "did you mean 'portfolio:high_priority'?"),
        (["queue", "list", "--app", "stockyard.trading:QueueName"], "--app expects an App or a Topology"),
        (["queue", "list", "--app", "nowhere:app"], "there is no module 'nowhere'"),
        (["queue", "list", "--app", "./shop.py"], "expected MODULE:ATTR"),
        (["cache", "stats", "risk"], "there is no place for 'risk'"),
        (["cache", "drop"], "name the caches to drop, or say --all"),
        (["cache", "drop", "risk", "--all"], "name the caches to drop, or say --all"),
        (["health", "--redis-url", "http://localhost"], "scheme 'http' is not known"),
        (["scripts", "show", "finishing.finnish"], "did you mean 'finishing.finish'?"),
        (["demo", "--symbols=DOGE"], "unknown symbol 'DOGE'"),
        (["worker", "stockyard.trading:PLATFORM", "--processes=0"], "--processes must be 1 or more"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], complaint: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("stockyard: ")
    assert complaint in said.err


def test_an_unknown_queue_lists_the_known(capsys: Captured) -> None:
    assert main(["queue", "show", "orders"]) == 2
    complaint = capsys.readouterr().err
    assert all(name in complaint for name in QueueName)


def test_queues_are_listed_as_declared(capsys: Captured) -> None:
    assert main(["queue", "list", "--json"]) == 0
    listed = msgspec.json.decode(capsys.readouterr().out)
    assert [(each["name"], each["concurrency"], each["attempts"]) for each in listed] == [
        ("portfolio:high_priority", 20, 3),
        ("portfolio:low_priority", 5, 3),
        ("execution:order_submission", 5, 5),
        ("execution:reconciliation", 3, 3),
        ("strategy:signals", 10, 3),
        ("backtest:jobs", 2, 1),
        ("exchange:candle_ingestion", 10, 3),
    ]
    assert main(["queue", "list"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in QueueName)
    assert "exponential 1s" in table


@pytest.mark.parametrize(
    ("options", "spelling"),
    [
        ([], "new Queue('high_priority', {prefix: 'bull:portfolio'})"),
        (["--prefix=desk"], "new Queue('high_priority', {prefix: 'desk:portfolio'})"),
    ],
)
def test_a_queue_tells_how_node_spells_it(options: list[str], spelling: str, capsys: Captured) -> None:
    assert main(["queue", "show", "portfolio:high_priority", *options]) == 0
    shown = capsys.readouterr().out
    assert spelling in shown
    assert "7d, at most 50,000" in shown


def test_a_queue_tells_whether_it_is_critical(capsys: Captured) -> None:
    assert main(["queue", "show", "execution:order_submission"]) == 0
    assert re.search(r"^critical +yes$", capsys.readouterr().out, re.M)


def test_scripts_are_listed(capsys: Captured) -> None:
    assert main(["scripts", "list", "--json"]) == 0
    assert [each["name"] for each in msgspec.json.decode(capsys.readouterr().out)] == list(names())
    assert main(["scripts", "list"]) == 0
    assert all(name in capsys.readouterr().out for name in names()[:1])


def test_the_package_is_the_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stockyard", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == version("stockyard")

"""What a type checker says of programs that use the public interface."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

_HEAD = """
from stockyard import App, Channel, Deduplication, Flow, Hooks, Router, Topology, WorkerOptions
from stockyard.trading import create_worker

shop = Topology("shop")
app = App(shop)
"""

_WRONG = {
    'app.worker("mail", concurency=5)': 'Unexpected keyword argument "concurency"',
    'app.worker("mail", grace=[])': 'Argument "grace" to "worker" of "App" has incompatible type',
    'app.worker("mail", executor="fiber")': 'Argument "executor" to "worker" of "App" has incompatible type',
    'create_worker("mail", concurrency="5")': 'Argument "concurrency" to "create_worker" has incompatible type',
    'options: WorkerOptions = {"lok": "30s"}': 'Extra key "lok" for TypedDict "WorkerOptions"',
    'shop.queue("mail", attempts="5")': 'Argument "attempts" to "queue" of "Topology" has incompatible type',
    'shop.queue("mail").handler("x", executr="thread")': 'No overload variant of "handler"',
    'shop.queue("mail").schedule("s", evry="5s")': 'Unexpected keyword argument "evry"',
    'shop.queue("mail").schedule("s", every="5s", delay="1s")': 'Unexpected keyword argument "delay"',
    'app.schedules("mail").upsert("s", every=None, limit="5")': 'Argument "limit" to "upsert" of "Schedules"',
    'app.queue("mail").add("x", delay=[])': 'Argument "delay" to "add" of "Queue" has incompatible type',
    'app.cache("c", near_entries="5")': 'No overload variant of "cache"',
    'Channel("c", int, atempts=5)': 'No overload variant of "Channel"',
    'Deduplication("x", extends=True)': 'Unexpected keyword argument "extends" for "Deduplication"',
    'Flow("x", "mail", children=None)': 'Argument "children" to "Flow" has incompatible type',
    "Hooks(failed=5)": 'Argument "failed" to "Hooks" has incompatible type',
    "Hooks(fialed=print)": 'Unexpected keyword argument "fialed" for "Hooks"',
    'Router().handler("x", executor="fiber")': 'No overload variant of "handler"',
}


@pytest.mark.long
def test_a_wrong_option_is_reported_by_the_type_checker(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_HEAD + "\n".join(_WRONG) + "\n")
    errors = _errors(program)
    first = _HEAD.count("\n") + 1
    missed = {
        line: errors.get(number, "nothing")
        for number, (line, said) in enumerate(_WRONG.items(), first)
        if said not in errors.get(number, "")
    }
    assert missed == {}


def _errors(program: Path) -> dict[int, str]:
    """Run mypy as ``make check`` does; return what it says, by line."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(program)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, f"{done.stdout}{done.stderr}"
    # The path is not read: an answer that mypy has kept names the file that it read then.
    errors: dict[int, str] = {}
    for line in done.stdout.splitlines():
        if found := re.match(r".*?:(\d+): (?:error|note): (.*)", line):
            errors[int(found[1])] = f"{errors.get(int(found[1]), '')}{found[2]}\n"
    return errors

"""The import rules of `pyproject.toml` hold, and would be noticed if they did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, SOURCE

_CHECK = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def check_imports(source: Path) -> "subprocess.CompletedProcess[str]":
    """Run the contracts on the package in a folder."""
    command = [sys.executable, "-c", _CHECK, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=source, env={"PYTHONPATH": str(source)}
    )


def test_every_contract_is_kept() -> None:
    checked = check_imports(SOURCE.parent)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("model/clock.py", "from stockyard.config import Settings", "Imports point down"),
        ("consume/hooks.py", "from stockyard.produce.queue import Queue", "siblings are strangers"),
        (
            "config/settings.py",
            "if TYPE_CHECKING:\n    from stockyard.topology import Rate",
            "siblings are strangers",
        ),
        ("telegram.py", "", "Imports point down"),
        (
            "consume/run/runner.py",
            "from stockyard.consume.finish.finisher import Finisher",
            "A worker takes, finishes, runs",
        ),
        (
            "observe/metrics/exporter.py",
            "from stockyard.observe.alerts.incidents import Incident",
            "metrics know no alerts",
        ),
        ("app.py", "import hiredis", "Only the store's connections speak to Redis"),
        ("_store/jobs/reading.py", "import hiredis", "Only the store's connections speak to Redis"),
        ("_store/net/endpoint.py", "import redis", "redis-py is for tests alone"),
        ("app.py", "from stockyard._wire.keys import SUFFIXES", "Only the store knows BullMQ's bytes"),
        (
            "model/retention.py",
            "def later():\n    from stockyard.model.options import AddOptions",
            "No import cycle anywhere",
        ),
    ],
)
def test_a_broken_rule_is_noticed(tmp_path: Path, file: str, line: str, contract: str) -> None:
    copy = tmp_path / "stockyard"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
    with (copy / file).open("a") as module:
        module.write(f"from typing import TYPE_CHECKING\n{line}\n")
    checked = check_imports(tmp_path)
    assert checked.returncode == 1
    broken = [each for each in checked.stdout.splitlines() if each.endswith("BROKEN")]
    assert any(contract in each for each in broken), checked.stdout + checked.stderr

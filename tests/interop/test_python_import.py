"""A program for the PyPI port runs with Stockyard when its import is changed, and does the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.documents import ROOT

_PROGRAM = Path(__file__).parent / "python" / "port_program.py"
_PYTHON = Path(__file__).parent / "python" / ".venv" / "bin" / "python"


def run(python: str | Path, program: Path, redis_url: str, prefix: str) -> Any:
    command = [str(python), str(program), redis_url, prefix, "200"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_program_does_the_same_when_its_import_is_changed(redis_url: str, prefix: str, tmp_path: Path) -> None:
    changed = tmp_path / "changed.py"
    changed.write_text(_PROGRAM.read_text().replace("from bullmq import", "from stockyard.compat.bullmq import"))
    ours = run(sys.executable, changed, redis_url, f"{prefix}:ours")
    theirs = run(_PYTHON, _PROGRAM, redis_url, f"{prefix}:theirs")
    assert ours == theirs
    assert ours["completed"] == 200
    assert ours["counts"] == {"completed": 200, "failed": 1, "waiting": 0}
    assert ours["refused"] == ["no XYZ", 1, True]
    assert ours["first"] == [{"number": 0, "attempt": 3}, 3, 3]
    assert ours["flow"] == [55.0, 10, "report"]
    assert ours["scheduler"] == [True, 50, "beat", ["beat"] * 3]

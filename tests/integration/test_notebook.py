"""The notebook of examples/, cell by cell in one event loop, as a kernel runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.documents import ROOT

NOTEBOOK = ROOT / "examples" / "queues.ipynb"
_KERNEL = """
import ast, asyncio, inspect, json, sys

async def run(cells):
    names = {"__name__": "__main__"}
    for cell in cells:
        pending = eval(compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.iscoroutine(pending):
            await pending

asyncio.run(run(json.load(sys.stdin)))
"""


def test_the_cells_run_in_order(tmp_path: Path) -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    # Results of a reader's own runs are not kept.
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    done = subprocess.run(
        [sys.executable, "-c", _KERNEL],
        input=json.dumps([cell["source"] for cell in cells]),
        cwd=tmp_path,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "10 backtests, the best window is 19",
        "attempts: {1: 9, 2: 1}",
        "completed: 10",
    ]

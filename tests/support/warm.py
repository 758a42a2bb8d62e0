"""Runs blocks and programs of pages without the time that their imports take."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.forked import Forked

# A block runs as in an asyncio shell, where `await` needs no function around it.
_RUNNER = """
import ast, asyncio, inspect, json, os, runpy, sys

async def awaited(pending):
    await pending

def run_block(block):
    code = compile(block, "document", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"__name__": "document"}
    sys.modules["document"] = type(sys)("document")
    pending = eval(code, names)
    if inspect.iscoroutine(pending):
        asyncio.run(awaited(pending))

request = json.loads(sys.argv.pop())
prefix = os.environ.get("STOCKYARD_PREFIX", "")
for number, block in enumerate(request["blocks"]):
    if number:
        os.environ["STOCKYARD_PREFIX"] = f"{prefix}-{number}"
    run_block(block)
for name in request["programs"]:
    runpy.run_path(os.path.abspath(name), run_name="__main__")
"""

_LONGEST = 120
"""Seconds of one process."""


class WarmPython:
    """Runs them, each time in a process of its own.

    Args:
        folder: what they print is kept here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def run(
        self,
        folder: Path,
        environment: dict[str, str],
        *,
        programs: Sequence[str] = (),
        blocks: Sequence[str] = (),
    ) -> str:
        """Run blocks, each with a prefix of its own, and then programs; return what they printed.

        Args:
            folder: where they run.
            environment: all of it.
            programs: names of files in that folder.
            blocks: of documents, as in an asyncio shell.
        """
        self._runs += 1
        # Not a pipe: a server that they start has it as well, and goes on.
        output = self._folder / f"output-{self._runs}"
        request = json.dumps({"blocks": list(blocks), "programs": list(programs)})
        with output.open("wb") as file:
            process: Forked[bytes] = Forked(
                [sys.executable, "-c", _RUNNER, request],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with process:
            status = process.wait(_LONGEST)
        printed = output.read_text()
        assert status == 0, f"exit status {status}\n{printed}"
        return printed

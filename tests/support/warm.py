"""Runs Python in processes that are forked from one that has imported already what most programs need."""

import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Importing takes more than half of the processor time of most programs of the pages. Each request is a line, each
# answer one: the exit status. A block runs as in an asyncio shell, where `await` needs no function around it.
_RUNNER = """
import ast, asyncio, inspect, json, os, runpy, sys
import msgspec, multiprocessing, uvloop, stockyard, stockyard.events, stockyard.pubsub
import stockyard.app.runtime, stockyard.consume.worker, stockyard.produce.flows

async def awaited(pending):
    await pending

def run_block(block):
    code = compile(block, "document", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"__name__": "document"}
    sys.modules["document"] = type(sys)("document")
    pending = eval(code, names)
    if inspect.iscoroutine(pending):
        asyncio.run(awaited(pending))

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.path.insert(0, "")
        prefix = request["environment"].get("STOCKYARD_PREFIX", "")
        for number, block in enumerate(request["blocks"]):
            if number:
                os.environ["STOCKYARD_PREFIX"] = f"{prefix}-{number}"
            run_block(block)
        for name in request["programs"]:
            runpy.run_path(os.path.abspath(name), run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

_LONGEST = 120
"""Seconds of one process."""


class WarmPython:
    """Runs blocks and programs, one process after the other; made by ``warm_python``."""

    def __init__(self, runner: "subprocess.Popen[str]", folder: Path) -> None:
        self._runner = runner
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
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        self._runs += 1
        output = self._folder / f"output-{self._runs}"
        request = {
            "folder": str(folder),
            "environment": environment,
            "output": str(output),
            "programs": list(programs),
            "blocks": list(blocks),
        }
        self._runner.stdin.write(json.dumps(request) + "\n")
        self._runner.stdin.flush()
        ended, _, _ = select.select([self._runner.stdout], [], [], _LONGEST)
        status = self._runner.stdout.readline().strip() if ended else f"none after {_LONGEST} s"
        printed = output.read_text() if output.exists() else ""
        assert status == "0", f"exit status {status}\n{printed}"
        return printed


@contextmanager
def warm_python() -> Iterator[WarmPython]:
    """Have a warm Python as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="stockyard-warm-") as name:
        runner = subprocess.Popen(
            [sys.executable, "-c", _RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            yield WarmPython(runner, Path(name))
        finally:
            try:
                runner.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                # What it runs still is of a test that has failed.
                runner.kill()
                runner.communicate()

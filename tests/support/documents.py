"""Runs the Python blocks of a document as a reader would, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# As in an asyncio shell, where `await` needs no function around it.
_SHELL = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "document", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {"__name__": "document"}
sys.modules["document"] = type(sys)("document")
async def main():
    pending = eval(code, names)
    if inspect.isawaitable(pending):
        await pending
if code.co_flags & inspect.CO_COROUTINE:
    asyncio.run(main())
else:
    exec(code, names)
"""


def blocks(document: Path) -> list[str]:
    """The blocks that are marked to be run."""
    return re.findall(r"<!-- run -->\n```python\n(.*?)```", document.read_text(), re.S)


def shell_blocks(document: Path) -> list[str]:
    """The blocks of shell commands that are marked to be run."""
    return re.findall(r"<!-- run -->\n```bash\n(.*?)```", document.read_text(), re.S)


def run_commands(block: str, folder: Path) -> None:
    """Run a block of shell commands in a folder, where the repository's own folder `deploy` is at hand."""
    (folder / "deploy").symlink_to(ROOT / "deploy")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def run_block(block: str, **environment: str) -> str:
    """Run a block in an asyncio shell; return what it printed."""
    return run_program(["-c", _SHELL], block, **environment)


def run_program(arguments: list[str], text: str = "", **environment: str) -> str:
    """Run Python on the repository's root; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

"""Runs `peers/bullmq_program.py`, a program for the PyPI port of BullMQ, with nothing but its import changed."""

import json
import os
import sys
from pathlib import Path
from types import ModuleType

PROGRAM = Path(__file__).resolve().parent.parent / "peers" / "bullmq_program.py"
IMPORT = "from bullmq import"


def program() -> str:
    """The text of the program with Stockyard's import.

    Raises:
        ValueError: the program does not import the port in one line.
    """
    text = PROGRAM.read_text()
    if text.count(IMPORT) != 1:
        raise ValueError(f"{PROGRAM} has one line {IMPORT!r}, not {text.count(IMPORT)}")
    return text.replace(IMPORT, "from stockyard.compat.bullmq import")


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    os.environ |= {"BENCH_URL": arguments["url"], "BENCH_JOBS": str(arguments["jobs"])}
    sys.path.insert(0, str(PROGRAM.parent))
    sys.argv[1:] = ["run"]
    module = ModuleType("__main__")
    exec(compile(program(), str(PROGRAM), "exec"), vars(module))

"""What every peer's script shares: its settings from the environment, its start marks and its verbs.

`python X_peer.py fill` puts BENCH_JOBS jobs into the peer's queue; `python X_peer.py work` becomes its worker,
which the harness ends once BENCH_TALLY holds one mark per job. Worker processes and threads of one peer share the
file: a mark is one append of eight bytes of the machine's monotonic clock, so that all marks compare.
"""

import json
import os
import struct
import sys
import time
from collections.abc import Callable

URL = os.environ["BENCH_URL"]
JOBS = int(os.environ.get("BENCH_JOBS", "0"))
EXECUTOR = os.environ.get("BENCH_EXECUTOR", "")
BATCH = 100

_WARM_UP = 500

_tally = os.open(os.environ.get("BENCH_TALLY", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def mark() -> None:
    """Note that a handler has started."""
    os.write(_tally, struct.pack("=q", time.monotonic_ns()))


def run_command(name: str, *arguments: str) -> None:
    """Become the peer's own worker command, which pip installed beside this interpreter."""
    if os.environ.get("BENCH_MARK_START"):
        mark()
    program = os.path.join(os.path.dirname(sys.executable), name)
    os.execv(program, [program, *arguments])


def add_one_by_one(add: Callable[[int], object]) -> None:
    """Add BENCH_JOBS jobs by blocking calls, and answer the rate and the processor time."""
    for n in range(_WARM_UP):
        add(n)
    start, cpu = time.perf_counter(), time.process_time()
    for n in range(JOBS):
        add(n)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"rate": JOBS / seconds, "cpu_seconds": cpu}), flush=True)


def main(**verbs: Callable[[], None]) -> None:
    """Run the verb that the command line names."""
    verbs[sys.argv[1]]()

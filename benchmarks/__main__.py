"""The command: `python -m benchmarks [--versus] [--rounds N] [--only NAME ...] [--quick] [--output PATH]`."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.environments import BULLMQ, BULLMQ_TUNED, CACHES, PEERS, REDIS
from benchmarks.processes import ROOT, SideFailed
from benchmarks.rows import ROWS
from benchmarks.server import Server
from benchmarks.table import Row, show, write

MISSED, UNMEASURED = 1, 2
_MACHINE = f"{os.cpu_count()} cores, {platform.machine()}"


def main() -> int:
    """Measure; return 0, or 1 when a requirement is missed, or 2 when a row could not be measured.

    A quick check measures too little for a miss to count.
    """
    options = _options()
    # As an exception, so that the server and the sides, which have sessions of their own, end with this process.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(128 + signal.SIGTERM))
    names = [name.partition(":")[0] for name in options.only] or list(ROWS)
    peers = frozenset(part for name in options.only if (part := name.partition(":")[2]))
    _compile()
    rows: list[Row] = []
    failed = False
    with Server() as server:
        bench = Bench(
            server,
            rounds=1 if options.quick and options.rounds is None else options.rounds or 3,
            quick=options.quick,
            versus=options.versus or bool(peers),
            peers=peers,
            node_packages=options.node_packages.resolve(),
        )
        print(f"{server.version}, allocator {server.allocator}, {_MACHINE}", file=sys.stderr)
        for name in dict.fromkeys(names):
            print(name, file=sys.stderr, flush=True)
            try:
                rows += ROWS[name](bench)
            except SideFailed as error:
                failed = True
                print(f"  not measured: {error}", file=sys.stderr, flush=True)
    quick = " QUICK CHECK: not to be quoted" if options.quick else ""
    title = f"Stockyard on {server.version} with {server.allocator}"
    show(rows, f"{title}, medians of {bench.rounds} rounds (lowest..highest){quick}")
    write(rows, options.output, _circumstances(bench))
    print(f"written to {options.output}", file=sys.stderr)
    if failed:
        return UNMEASURED
    missed = any(row.passed is False for row in rows)
    return MISSED if missed and not options.quick else 0


def _compile() -> None:
    """Compile all sources, as an installation does: no side pays for it at its start."""
    for folder in ("src", "benchmarks/sides", "benchmarks/peers"):
        compileall.compile_dir(ROOT / folder, quiet=1)


def _options() -> argparse.Namespace:
    peers = ["node", BULLMQ.name, BULLMQ_TUNED.name, *(peer.name for peer in PEERS)]
    known = [*ROWS, *(f"process:{peer}" for peer in peers)]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures Stockyard on a private server, alone or against its peers.",
        epilog=f"names: {', '.join(known)}",
    )
    parser.add_argument("--versus", action="store_true", help="measure the peers too")
    parser.add_argument("--rounds", type=int, help="turns of each side; defaults to 3, and to 1 with --quick")
    parser.add_argument("--only", nargs="+", default=[], choices=known, metavar="NAME", help="only these rows")
    parser.add_argument("--quick", action="store_true", help="small numbers: a check that all runs")
    parser.add_argument("--output", type=Path, help="results file; defaults to benchmarks/results/latest.json")
    parser.add_argument(
        "--node-packages",
        type=Path,
        default=ROOT / "tests" / "interop" / "node",
        help="folder whose node_modules hold bullmq and ioredis; defaults to tests/interop/node",
    )
    options = parser.parse_args()
    results = ROOT / "benchmarks" / "results"
    options.output = options.output or results / ("quick.json" if options.quick else "latest.json")
    return options


def _circumstances(bench: Bench) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    if bench.versus:
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        versions["node"] = node.stdout.strip().removeprefix("v")
        for package in ("bullmq", "ioredis"):
            description = bench.node_packages / "node_modules" / package / "package.json"
            versions[f"{package} (npm)"] = json.loads(description.read_text())["version"]
        peers = (BULLMQ, *PEERS, *CACHES, REDIS)
        versions |= {f"{peer.name} (PyPI)": peer.version for peer in peers if peer.version}
    return {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "server": bench.server.version,
        "allocator": bench.server.allocator,
        "machine": _MACHINE,
        "quick": bench.quick,
        "rounds": bench.rounds,
        "versions": versions,
    }


if __name__ == "__main__":
    sys.exit(main())

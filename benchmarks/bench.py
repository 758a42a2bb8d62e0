"""One run: its server, its options, and how each kind of side is started."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environments import Peer
from benchmarks.processes import ROOT, Side, SideFailed
from benchmarks.rounds import Figures, Turn, alternate
from benchmarks.server import Server

_HERE = Path(__file__).resolve().parent
_MARK = struct.Struct("=q")


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row needs in order to measure.

    Attributes:
        server: the server of the run.
        rounds: how often each side has its turn.
        quick: smaller numbers of jobs: a check that everything runs, with no figure to be quoted.
        versus: measure the peers too.
        peers: names of the Python peers to measure, all when empty.
        node_packages: the folder where npm installed bullmq.
    """

    server: Server
    rounds: int = 3
    quick: bool = False
    versus: bool = False
    peers: frozenset[str] = field(default_factory=frozenset)
    node_packages: Path = ROOT / "tests" / "interop" / "node"

    def jobs(self, number: int) -> int:
        """The number of jobs of a full run, or a fiftieth of it."""
        return max(number // 50, 200) if self.quick else number

    def ours(self, side: str, **arguments: Any) -> Side:
        """Start `benchmarks/sides/<side>.py`."""
        return Side(
            [sys.executable, "-m", f"benchmarks.sides.{side}", _json(self.server, **arguments)], timeout=600
        )

    def node(self, script: str, **arguments: Any) -> Side:
        """Start `benchmarks/node/<script>.mjs`."""
        path = _HERE / "node" / f"{script}.mjs"
        return Side(["node", path, _json(self.server, packages=str(self.node_packages), **arguments)])

    def python(self, peer: Peer, verb: str, environment: Mapping[str, str]) -> Side:
        """Start one verb of a Python peer's script in the peer's own environment."""
        return Side(
            [peer.python, f"{peer.script}.py", verb],
            environment={"BENCH_URL": self.server.url, **dict(peer.settings), **environment},
            folder=_HERE / "peers",
        )

    def peer_rate(self, peer: Peer, jobs: int) -> float:
        """Fill a Python peer's queue, let its worker empty it, and return jobs a second."""
        with tempfile.TemporaryDirectory(prefix="stockyard-bench-") as folder:
            tally = Path(folder) / "tally"
            environment = {"BENCH_JOBS": str(jobs), "BENCH_TALLY": str(tally)}
            with self.python(peer, "fill", environment) as side:
                side.end()
            with self.python(peer, "work", environment) as side:
                while tally.stat().st_size < jobs * _MARK.size:
                    if not side.running:
                        raise side.failure("ended before its jobs did")
                    time.sleep(0.05)
            moments: list[int] = sorted(moment for (moment,) in _MARK.iter_unpack(tally.read_bytes()))
        if len(moments) > jobs:
            raise SideFailed(f"{peer.name} started {len(moments)} handlers for {jobs} jobs")
        return (jobs - 1) / ((moments[-1] - moments[0]) / 1e9)

    def alternate(self, sides: Mapping[str, Turn]) -> dict[str, dict[str, Figures]]:
        """Measure sides in turn, each on an emptied server."""

        def on_empty_server(turn: Turn) -> Turn:
            def measured() -> Mapping[str, float]:
                self.server.flush()
                return turn()

            return measured

        return alternate({side: on_empty_server(turn) for side, turn in sides.items()}, self.rounds)


def _json(server: Server, **arguments: Any) -> str:
    return json.dumps({"url": server.url, **arguments})

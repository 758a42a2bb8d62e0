"""One run: its server, its options, and how each kind of side is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environments import Peer
from benchmarks.processes import ROOT, Side
from benchmarks.rounds import Figures, Turn, alternate
from benchmarks.server import Server
from benchmarks.tally import Tally

_HERE = Path(__file__).resolve().parent


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

    def ours(self, side: str, environment: Mapping[str, str] | None = None, /, **arguments: Any) -> Side:
        """Start `benchmarks/sides/<side>.py`."""
        command = [sys.executable, "-m", f"benchmarks.sides.{side}", _json(self.server, **arguments)]
        return Side(command, environment=environment, timeout=600)

    def node(self, script: str, **arguments: Any) -> Side:
        """Start `benchmarks/node/<script>.mjs`."""
        path = _HERE / "node" / f"{script}.mjs"
        return Side(["node", path, _json(self.server, packages=str(self.node_packages), **arguments)])

    def python(self, peer: Peer, verb: str, environment: Mapping[str, str] | None = None) -> Side:
        """Start one verb of a Python peer's script in the peer's own environment."""
        return Side(
            [peer.python, f"{peer.script}.py", verb],
            environment={"BENCH_URL": self.server.url, **dict(peer.settings), **(environment or {})},
            folder=_HERE / "peers",
        )

    def peer_rate(self, peer: Peer, jobs: int, executor: str = "") -> float:
        """Fill a Python peer's queue, let its worker empty it, and return jobs a second.

        Args:
            peer: the peer.
            jobs: how many.
            executor: `thread` or `process`, for a peer that can do either; defaults to its quickest.
        """
        with Tally() as tally:
            environment = {"BENCH_JOBS": str(jobs), "BENCH_EXECUTOR": executor, **tally.environment}
            with self.python(peer, "fill", environment) as side:
                side.end()
            with self.python(peer, "work", environment) as side:
                return tally.rate(side, jobs)

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

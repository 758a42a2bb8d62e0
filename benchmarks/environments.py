"""The Python peers: what each needs, in a virtual environment of its own, and how many jobs it is given."""

from __future__ import annotations

import compileall
import hashlib
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.processes import SideFailed

_HOME = Path(__file__).resolve().parent / ".peers"


@dataclass(frozen=True, slots=True)
class Peer:
    """A Python peer.

    Attributes:
        name: of its row, and of its environment.
        script: its file in `peers/`, without the ending.
        requirements: what its own documentation has one install; newest releases unless pinned.
        jobs: how many it is given to process; slower ones get fewer, the rate is what counts.
        settings: environment variables that its script reads.
    """

    name: str
    script: str
    requirements: tuple[str, ...]
    jobs: int = 5_000
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def python(self) -> Path:
        """Its interpreter; the environment is made on first need, and again when the requirements change."""
        home = _HOME / self.name
        stamp = home / ".requirements"
        wanted = hashlib.sha256(repr(self.requirements).encode()).hexdigest()
        python = home / "bin" / "python"
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"  making the environment of {self.name}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run([*install, *self.requirements], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SideFailed(f"pip could not install {', '.join(self.requirements)}:\n{done.stderr.strip()}")
            compileall.compile_dir(home / "lib", quiet=2)
            stamp.write_text(wanted)
        return python

    @property
    def version(self) -> str | None:
        """The installed release of the package itself; None while there is no environment."""
        package = self.requirements[0].split("=")[0].split("[")[0]
        folders = [str(folder) for folder in (_HOME / self.name).glob("lib/python*/site-packages")]
        found = next(iter(metadata.distributions(name=package, path=folders)), None)
        return found.version if found else None


BULLMQ = Peer("bullmq", "bullmq_peer", ("bullmq==3.4.4",))

BULLMQ_TUNED = Peer(
    "bullmq-tuned",
    "bullmq_peer",
    ("bullmq==3.4.4", "hiredis", "uvloop"),
    settings=(("BENCH_UVLOOP", "1"),),
)
"""The same with two packages that its documentation does not name: shown beside it, counted in no row."""

BULLMQ_PROGRAM = Peer("bullmq", "bullmq_program", BULLMQ.requirements)
"""A whole program for it, which runs with Stockyard too."""

PEERS = (
    # saq 0.26 imports typing_extensions without requiring it.
    Peer("saq", "saq_peer", ("saq[hiredis]", "typing_extensions")),
    Peer("arq", "arq_peer", ("arq",)),
    Peer("taskiq", "taskiq_peer", ("taskiq[uv]", "taskiq-redis")),
    Peer("dramatiq", "dramatiq_peer", ("dramatiq[redis]",)),
    # Its threads settle into one of two rhythms, twice apart; a longer run gives them time to change.
    Peer("huey", "huey_peer", ("huey[redis]",), jobs=20_000),
    Peer("celery", "celery_peer", ("celery[redis]",), jobs=3_000),
    Peer("streaq", "streaq_peer", ("streaq",), jobs=3_000),
    Peer("rq", "rq_peer", ("rq",), jobs=1_000),
)

CACHES = (
    Peer("cashews", "cashews_peer", ("cashews[redis]", "hiredis", "uvloop")),
    Peer("aiocache", "aiocache_peer", ("aiocache[redis]", "hiredis", "uvloop")),
)
"""Caches on redis-py: with the loop and the parser that ours has."""

REDIS = Peer("redis-py", "redis_peer", ("redis", "hiredis", "uvloop", "msgspec"))
"""The client library itself: without a cache, and as publisher and reader of a channel."""


def peer(name: str) -> Peer:
    """The queue of this name among `PEERS`."""
    return next(each for each in PEERS if each.name == name)

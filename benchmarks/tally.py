"""The moments at which handlers started, in whatever process or thread: one file that all of them append to."""

from __future__ import annotations

import struct
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import Side, SideFailed

_MARK = struct.Struct("=q")
_RUN_TWICE = 1.01
"""How many more starts than jobs are taken for what at-least-once delivery allows."""


class Tally:
    """A file of marks; leaving the `with` block deletes it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="stockyard-bench-")
        self._path = Path(self._folder.name) / "tally"
        self._path.touch()

    @property
    def environment(self) -> dict[str, str]:
        """What a side must know in order to mark."""
        return {"BENCH_TALLY": str(self._path)}

    def marks(self, side: Side, number: int, *beside: Side) -> list[int]:
        """Wait for so many marks and return them, earliest first, in nanoseconds of the monotonic clock.

        Args:
            side: marks.
            number: of marks.
            beside: others that mark.

        Raises:
            SideFailed: a side ended before, or there are more by a hundredth: all queues deliver at least once,
                and some peers do run a job in ten thousand twice on a busy machine.
        """
        while self._path.stat().st_size < number * _MARK.size:
            if ended := [each for each in (side, *beside) if not each.running]:
                raise ended[0].failure("ended before its jobs did")
            time.sleep(0.01)
        moments: list[int] = sorted(moment for (moment,) in _MARK.iter_unpack(self._path.read_bytes()))
        if len(moments) > number * _RUN_TWICE:
            raise SideFailed(f"{len(moments)} handlers started for {number} jobs")
        return moments[:number]

    def rate(self, side: Side, jobs: int, *beside: Side) -> float:
        """Wait for the handlers of so many jobs, and return jobs a second from the first start to the last."""
        moments = self.marks(side, jobs, *beside)
        return (jobs - 1) / ((moments[-1] - moments[0]) / 1e9)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

"""The log of a job: lines that its handler, or anybody who has it, writes."""

from __future__ import annotations

from typing import Protocol

from stockyard.model import checks


class LogPort(Protocol):
    """What a job needs for its log."""

    async def log(self, job_id: str, line: str) -> int: ...
    async def logs(self, job_id: str, start: int, end: int, *, newest_first: bool = False) -> list[str]: ...
    async def log_count(self, job_id: str) -> int: ...
    async def clear_logs(self, job_id: str, keep: int) -> None: ...


class Logged:
    """The log of a job."""

    __slots__ = ()
    id: str
    port: LogPort

    async def log(self, line: str) -> int:
        """Append a line to the job's log; return how many lines it has.

        Raises:
            InvalidOption: it is no text, or has a lone surrogate.
            JobNotFound: the job was removed.
        """
        return await self.port.log(self.id, checks.line("a line of a job's log", line))

    async def logs(self, start: int = 0, end: int = -1, *, newest_first: bool = False) -> list[str]:
        """Return log lines ``start`` to ``end`` inclusive, oldest first; -1 is the last.

        Args:
            start, end: positions, from 0. Defaults to all lines.
            newest_first: count from the newest line, and begin with it: ``logs(0, 9, newest_first=True)`` are the
                ten newest. Defaults to False.

        Raises:
            InvalidOption: ``start`` or ``end`` is no whole number, or ``newest_first`` is neither True nor False.
        """
        checks.flag("newest_first", newest_first)
        return await self.port.logs(self.id, start, end, newest_first=newest_first)

    async def log_count(self) -> int:
        """Return how many lines the job's log has."""
        return await self.port.log_count(self.id)

    async def clear_logs(self, keep: int = 0) -> None:
        """Drop the log but its last ``keep`` lines.

        Raises:
            InvalidOption: ``keep`` is no whole number of 0 or more.
        """
        checks.whole("keep", keep)
        await self.port.clear_logs(self.id, keep)

"""What a job can ask about its children, and about the parent that waits for it."""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

import msgspec

from stockyard.model import checks
from stockyard.model.lineage import Caused

ChildKind = Literal["processed", "unprocessed", "ignored", "failed"]
"""What became of a child: it completed; it is waited for; it failed and the job goes on; it failed the job."""


class ChildrenPage(msgspec.Struct, frozen=True):
    """Some of a job's children.

    Attributes:
        children: by full key; of processed ones the result, of ignored ones the reason of the failure, else None.
        cursor: what to ask with for those that follow, or 0 when there are none.
    """

    children: dict[str, Any]
    cursor: int = 0


class FamilyPort(Protocol):
    """What a job asks about its family."""

    async def children_values(self, job_id: str) -> dict[str, Any]: ...
    async def ignored_failures(self, job_id: str) -> dict[str, str]: ...
    async def failed_children(self, job_id: str) -> list[str]: ...
    async def children(self, job_id: str, kind: ChildKind, cursor: int, count: int) -> ChildrenPage: ...
    async def children_counts(self, job_id: str) -> dict[ChildKind, int]: ...
    async def detach_from_parent(self, job_id: str) -> bool: ...


class Relative(Caused):
    """The family side of a job. Children are named by their full keys, as ``bull:downloads:17``."""

    __slots__ = ()
    id: str
    port: FamilyPort

    async def children_values(self) -> dict[str, Any]:
        """Return the results of the children that completed, by their full keys."""
        return await self.port.children_values(self.id)

    async def ignored_failures(self) -> dict[str, str]:
        """Return why children failed that the job goes on without, by their full keys.

        They are those with the policies ``continue_parent`` and ``ignore_dependency``.
        """
        return await self.port.ignored_failures(self.id)

    async def failed_children(self) -> list[str]:
        """Return the full keys of the children that failed the job, in the order that they failed."""
        return await self.port.failed_children(self.id)

    async def children(self, kind: ChildKind = "unprocessed", *, cursor: int = 0, count: int = 20) -> ChildrenPage:
        """Return some of the children, and where those that follow begin.

        Args:
            kind: ``"processed"``, ``"unprocessed"``, ``"ignored"`` or ``"failed"``.
            cursor: of the page before; 0 begins.
            count: about how many, 1 to 1000; of a few children all may come at once.

        Raises:
            InvalidOption: one of these is out of its range.
        """
        checks.one_of("kind", kind, get_args(ChildKind))
        checks.whole("cursor", cursor)
        checks.whole("count", count, least=1, most=1000)
        return await self.port.children(self.id, kind, cursor, count)

    async def children_counts(self) -> dict[ChildKind, int]:
        """Return how many children there are of each kind."""
        return await self.port.children_counts(self.id)

    async def detach_from_parent(self) -> bool:
        """Detach the job from the parent that waits for this job; a parent that waits for no other goes on.

        Returns:
            False when no parent waits for it.

        Raises:
            JobNotFound: this job was removed, or its parent was.
        """
        return await self.port.detach_from_parent(self.id)

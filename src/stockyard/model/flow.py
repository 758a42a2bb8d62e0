"""A job with the jobs that must end before it: a tree, as it is to be added and as it is read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack

import msgspec
from msgspec import UNSET

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job import Job
from stockyard.model.options import KNOWN_OPTIONS, AddOptions


class Flow:
    """A job to add, and the flows of its children, which run before it.

    Args:
        name: chooses the handler.
        queue: name of its queue; children may be in any others.
        data: its payload; None is stored as ``null``. Defaults to an empty object.
        children: flows that must end first. Defaults to none.
        options: see ``AddOptions``; what is left out takes the default of its queue. A parent's delay begins when
            its children have ended. ``on_failure`` says what a child's failure means to its parent.

    Raises:
        InvalidOption: the children are not Flow values, or an option is not known.

    Example:
        Flow("report", "reports", children=[Flow("fetch", "downloads", {"day": day}) for day in days])
    """

    __slots__ = ("children", "data", "name", "options", "queue")

    def __init__(
        self,
        name: str,
        queue: str,
        data: Any = UNSET,
        children: Iterable[Flow] = (),
        **options: Unpack[AddOptions],
    ) -> None:
        checks.refuse_unknown(options, KNOWN_OPTIONS, of=f"flow {name!r}")
        self.name: str = name
        self.queue: str = queue
        self.data: Any = {} if data is UNSET else data
        self.options: AddOptions = options
        if isinstance(children, str) or not isinstance(children, Iterable):
            raise _no_flow(name, children)
        self.children: tuple[Flow, ...] = tuple(children)
        for child in self.children:
            if not isinstance(child, Flow):
                raise _no_flow(name, child)


def _no_flow(name: str, value: object) -> InvalidOption:
    return InvalidOption(f"the children of flow {name!r} must be Flow values; got {checks.shown(value)}")


class FlowTree(msgspec.Struct, frozen=True):
    """A job with its children, as they were added or read.

    Attributes:
        job: the job.
        children: their trees; of a tree that was read, those within its limits.
    """

    job: Job[Any]
    children: tuple[FlowTree, ...] = ()

    def __iter__(self) -> Iterator[Job[Any]]:
        """Yield every job of the tree, each parent before its children."""
        open_trees = [self]
        while open_trees:
            tree = open_trees.pop()
            yield tree.job
            open_trees.extend(reversed(tree.children))

    def __repr__(self) -> str:
        """Name the job and count its children: a tree may be deeper than a text can follow."""
        return f"FlowTree({self.job.name!r} {self.job.id} of {self.job.queue!r}, {len(self.children)} children)"

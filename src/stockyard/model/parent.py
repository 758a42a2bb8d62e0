"""What ties a job to its parent."""

from __future__ import annotations

from typing import Literal

import msgspec

OnFailure = Literal["fail_parent", "continue_parent", "ignore_dependency", "remove_dependency"]
"""What a child's failure means to its parent.

``fail_parent``: the parent fails too. ``continue_parent``: it runs at once, and may ask for the failure.
``ignore_dependency``: it waits for the other children, and may ask for the failure. ``remove_dependency``: it
waits for the others, and nothing is recorded. Unsaid, it waits until the child was retried with success, or is
removed.
"""


class ParentRef(msgspec.Struct, frozen=True):
    """Where a parent job is, for ``add(..., parent=…)``; a ``Job`` does as well.

    Attributes:
        queue: name of its queue, which need not be declared.
        id: its id.
        prefix: first part of its keys. Defaults to that of the app.
        expires_at: when the parent expires, ms since the epoch: its children expire then at the latest. Defaults
            to None: it does not.
    """

    queue: str
    id: str
    prefix: str | None = None
    expires_at: int | None = None

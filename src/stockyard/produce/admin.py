"""What operators do to a queue as a whole."""

from __future__ import annotations

from stockyard._store.link import QueueLink


class QueueAdmin:
    """The administration of a queue."""

    name: str
    _link: QueueLink

"""An outbox adds jobs in a database transaction, an inbox keeps writes to one; both need the extra ``outbox``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.outbox.inbox import Inbox, InboxEntry
    from stockyard.outbox.outbox import Outbox, OutboxJob
    from stockyard.outbox.relay import OutboxRelay
    from stockyard.outbox.relay_options import RelayOptions
    from stockyard.outbox.status import FailedRow, OutboxStatus
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.outbox.inbox": "Inbox InboxEntry",
            "stockyard.outbox.outbox": "Outbox OutboxJob",
            "stockyard.outbox.relay": "OutboxRelay",
            "stockyard.outbox.relay_options": "RelayOptions",
            "stockyard.outbox.status": "FailedRow OutboxStatus",
        },
        extra="outbox",
    )

__all__ = [
    "FailedRow",
    "Inbox",
    "InboxEntry",
    "Outbox",
    "OutboxJob",
    "OutboxRelay",
    "OutboxStatus",
    "RelayOptions",
]

"""The dashboard shows an App's queues and jobs in browsers; it needs the extra ``dashboard``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.dashboard.asgi import Dashboard
    from stockyard.dashboard.sessions import Viewer
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.dashboard.asgi": "Dashboard",
            "stockyard.dashboard.sessions": "Viewer",
        },
        extra="dashboard",
    )

__all__ = [
    "Dashboard",
    "Viewer",
]

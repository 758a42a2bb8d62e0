"""Django projects get an App, adds on commit, fresh connections and tasks here, by the extra ``django``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.contrib.django.commits import add_on_commit, outbox_connection
    from stockyard.contrib.django.connections import fresh_connections
    from stockyard.contrib.django.project import project_app
else:
    from stockyard._lazy import lazy_names

    # Django imports this package before its settings are read and its models exist.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.contrib.django.commits": "add_on_commit outbox_connection",
            "stockyard.contrib.django.connections": "fresh_connections",
            "stockyard.contrib.django.project": "project_app",
        },
        extra="django",
    )

__all__ = ["add_on_commit", "fresh_connections", "outbox_connection", "project_app"]

"""App."""

from stockyard.app.app import App, owner_of

__all__ = [
    "App",
    "owner_of",
]

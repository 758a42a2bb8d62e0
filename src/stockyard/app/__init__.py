"""App."""

from stockyard.app.app import App

__all__ = ["App"]

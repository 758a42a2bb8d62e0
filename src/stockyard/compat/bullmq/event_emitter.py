"""Listeners by the name of an event."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
L = TypeVar("L", bound=Callable[..., Any])


class EventEmitter:
    """Calls the listeners of an event, in the order in which they were added."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[..., Any]]] = {}

    def on(self, event_name: str, function: L) -> L:
        """Add a listener, and return it; usable as ``worker.on("completed", listener)``."""
        self._listeners.setdefault(event_name, []).append(function)
        return function

    def off(self, event_name: str, function: Callable[..., Any]) -> None:
        """Remove a listener.

        Raises:
            ValueError: it does not listen to that event.
        """
        self._listeners.get(event_name, []).remove(function)

    def has_listeners(self, event_name: str) -> bool:
        """Say whether an event has listeners."""
        return bool(self._listeners.get(event_name))

    def emit(self, event_name: str, *args: Any) -> None:
        """Call the listeners of an event. A listener that raises is logged; the others are called all the same."""
        for listener in tuple(self._listeners.get(event_name, ())):
            try:
                listener(*args)
            except Exception:
                _log.exception("a listener of %r failed; nothing else is changed by it", event_name)

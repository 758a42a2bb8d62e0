"""The name of a worker: how dashboards, jobs and alerts call it."""

from __future__ import annotations

from stockyard.errors import InvalidOption


def check_name(name: str | None) -> None:
    """Refuse a name that servers refuse to a connection, and an empty one; None is no name.

    Raises:
        InvalidOption: it is no ASCII text without spaces.
    """
    if name is not None and not (name and all("!" <= each <= "~" for each in name)):
        raise InvalidOption(f"a worker's name must be ASCII text without spaces, or None for none; got {name!r}")

"""Notices that the source of a running program has changed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

_INTERVAL = 0.5


class SourceWatch:
    """The imported modules below a folder, by the times at which their files were changed.

    Args:
        root: the folder; environments within it (``site-packages``) are no source.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._times: dict[Path, int] = {}
        self.look()

    def look(self) -> Path | None:
        """Return a file that changed since the last look, or None; modules imported since are added."""
        changed = None
        for file in self._files():
            try:
                time = file.stat().st_mtime_ns
            except OSError:
                time = 0
            if self._times.setdefault(file, time) != time:
                self._times[file] = time
                changed = file
        return changed

    async def changed(self) -> Path:
        """Return a file as soon as it has changed."""
        while True:
            await asyncio.sleep(_INTERVAL)
            if file := self.look():
                return file

    def _files(self) -> list[Path]:
        named = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        files = [Path(name) for name in named if isinstance(name, str)]
        return [file for file in files if file.is_relative_to(self._root) and "site-packages" not in file.parts]

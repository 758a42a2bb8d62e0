"""Finds the project that a process belongs to, and the data folder of that project's embedded server."""

import hashlib
import os
import re
from pathlib import Path

_MARKS = ("pyproject.toml", ".git", "setup.py", "setup.cfg", "Pipfile")
_NAME_LENGTH = 32


def project_root(start: Path) -> Path:
    """Return the folder of the project that a working directory belongs to.

    That is the nearest folder, from there upwards, that holds ``pyproject.toml``, ``.git``, ``setup.py``,
    ``setup.cfg`` or ``Pipfile``; without any, the nearest that holds ``.env``; without that, ``start`` itself.
    """
    folders = (start, *start.parents)
    for folder in folders:
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    return next((folder for folder in folders if (folder / ".env").is_file()), start)


def default_data(kind: str = "") -> Path:
    """Return the data folder of this project: one for all of its folders, and for no other project.

    Args:
        kind: of a set, which has a folder beside that of a single server.
    """
    home = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    root = project_root(Path.cwd())
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", root.name)[:_NAME_LENGTH].strip(".-") or "root"
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return home / "stockyard" / "projects" / "-".join(filter(None, (name, digest, kind)))

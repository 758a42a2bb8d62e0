"""Imports a package's public names when they are first used, so that a process loads only what it needs."""

from collections.abc import Callable, Mapping
from importlib import import_module
from sys import modules
from types import ModuleType


def lazy_names(
    package: str, names: Mapping[str, str], submodules: str = "", *, extra: str = ""
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return a package's ``__getattr__`` and ``__dir__`` (PEP 562).

    Args:
        package: the package's ``__name__``.
        names: module → the names that the package re-exports from it, separated by spaces.
        submodules: the package's own modules that ``import package`` makes available, separated by spaces.
        extra: of the distribution, whose packages these modules import. Defaults to none.
    """
    homes = {name: module for module, listed in names.items() for name in listed.split()}
    own = submodules.split()

    def _imported(module: str) -> ModuleType:
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            if not extra or f"{error.name}.".startswith("stockyard."):
                raise
            text = f"{package} needs the extra: pip install 'stockyard[{extra}]'"
            raise ImportError(text, name=error.name) from error

    def get_name(name: str) -> object:
        if name in homes:
            value: object = getattr(_imported(homes[name]), name)
        elif name in own:
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Python asks here only for names that the module lacks: the next use finds this one.
        setattr(modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(modules[package]), *homes, *own})

    return get_name, list_names

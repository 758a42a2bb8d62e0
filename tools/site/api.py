"""Writes the pages of the API from the public names, their signatures and their docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import stockyard
from tools.site.docstrings import first_line, markdown

FOLDER = "reference/api"
INTERNAL = frozenset("app cli config consume leases model observe produce schedule telemetry topology".split())
"""Packages whose names are imported from elsewhere."""
OWN_PAGE = 8
"""A class with so many public members has a page of its own."""
_WIDTH = 88
_PATH = re.compile(r"\b(?:stockyard|typing|collections\.abc|datetime)(?:\.\w+)*\.(?=\w)")
"""Where an annotation's name is from; the page shows the name alone."""


def public_modules() -> list[str]:
    """Return the modules that programs import from, the package itself first."""
    return [stockyard.__name__, *sorted(_public_below(stockyard))]


def _public_below(package: ModuleType) -> Iterator[str]:
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_") or (package is stockyard and module.name in INTERNAL):
            continue
        found = importlib.import_module(f"{package.__name__}.{module.name}")
        if hasattr(found, "__all__") and found.__all__ and _is_installed(found):
            yield found.__name__
        elif hasattr(found, "__path__") and not hasattr(found, "__all__"):
            # A package that only holds others, as `stockyard.compat`.
            yield from _public_below(found)


def _is_installed(module: ModuleType) -> bool:
    """Return whether the extra that a module needs is there; its names are imported when they are first used."""
    try:
        for name in module.__all__:
            getattr(module, name)
    except ImportError as error:
        print(f"{module.__name__} is left out: {error}", file=sys.stderr)
        return False
    return True


def api_pages() -> dict[str, str]:
    """Return the Markdown of each page of the API by its path within the site."""
    pages: dict[str, str] = {}
    rows: list[str] = []
    for name in public_modules():
        module = importlib.import_module(name)
        pages |= _module_pages(module)
        rows.append(f"| [`{name}`]({name}.md) | {first_line(module.__doc__)} |")
    table = "\n".join(["| module | |", "|---|---|", *rows])
    pages[f"{FOLDER}/index.md"] = (
        "# API\n\nThese pages are made from the docstrings of the public names. Import a name from the module "
        f"whose page describes it.\n\n{table}\n"
    )
    return pages


def _module_pages(module: ModuleType) -> dict[str, str]:
    pages: dict[str, str] = {}
    parts = [f"# {module.__name__}", markdown(module.__doc__)]
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) and len(list(_members(value))) >= OWN_PAGE:
            page = f"{module.__name__}.{name}.md"
            pages[f"{FOLDER}/{page}"] = "\n\n".join([f"# {module.__name__}.{name}", *_class(value, "##")]) + "\n"
            parts += [
                f"## {name}",
                f"{first_line(value.__doc__)}\n\nAll of it: [{module.__name__}.{name}]({page}).",
            ]
        else:
            parts += [f"## {name}", *_described(module, name, value)]
    pages[f"{FOLDER}/{module.__name__}.md"] = "\n\n".join(part for part in parts if part) + "\n"
    return pages


def _described(module: ModuleType, name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(value, "###")
    elif inspect.isfunction(value):
        yield from (_signature(value), markdown(value.__doc__))
    else:
        definition, text = _assigned(module, name)
        yield from (definition, markdown(text))


def _class(value: type, level: str) -> Iterator[str]:
    is_options = hasattr(value, "__total__")
    bases = ["TypedDict"] if is_options else [base.__name__ for base in value.__bases__ if base is not object]
    text = markdown(value.__doc__)
    if is_options or issubclass(value, BaseException):
        yield f"```python\nclass {value.__name__}({', '.join(bases)})\n```"
    else:
        yield _signature(value)
    yield text
    for name, member in _members(value):
        yield f"{level} {value.__name__}.{name}"
        function: Any = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(member, property):
            returns = _annotation(inspect.signature(function).return_annotation)
            yield f"```python\n{name}: {returns}\n```"
        else:
            yield _signature(
                function, type(member).__name__ if isinstance(member, (classmethod, staticmethod)) else ""
            )
        yield markdown(function.__doc__)


def _members(value: type) -> Iterator[tuple[str, Any]]:
    """Return the documented methods and properties of a class, in the order of their definition."""
    seen: set[str] = set()
    for base in value.__mro__:
        if not base.__module__.startswith("stockyard"):
            continue
        for name, member in vars(base).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if name in seen or name.startswith("_") or not inspect.isroutine(function):
                continue
            seen.add(name)
            if getattr(function, "__doc__", None):
                yield name, member


def _signature(value: Any, decorator: str = "") -> str:
    kind = "class" if inspect.isclass(value) else "async def" if inspect.iscoroutinefunction(value) else "def"
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters: list[str] = []
    slash = star = False
    for parameter in signature.parameters.values():
        if slash and parameter.kind is not parameter.POSITIONAL_ONLY:
            parameters.append("/")
        slash = parameter.kind is parameter.POSITIONAL_ONLY
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parameters.append("*")
        star = star or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        if parameter.name not in ("self", "cls"):
            parameters.append(_parameter(parameter))
    returns = "" if kind == "class" else _annotation(signature.return_annotation)
    name = f"{kind} {value.__name__}"
    after = f" -> {returns}" if returns else ""
    line = f"{name}({', '.join(parameters)}){after}"
    if len(line) > _WIDTH:
        line = "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f"){after}"])
    head = f"@{decorator}\n" if decorator else ""
    return f"```python\n{head}{line}\n```"


def _parameter(parameter: inspect.Parameter) -> str:
    is_rest, is_keywords = (parameter.kind is kind for kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD))
    text = f"{'*' if is_rest else '**' if is_keywords else ''}{parameter.name}"
    annotation = _annotation(parameter.annotation)
    if annotation:
        text += f": {annotation}"
    if parameter.default is not parameter.empty:
        shown = repr(parameter.default)
        default = "..." if shown.startswith("<") or len(shown) > 40 else shown
        text += f" = {default}" if annotation else f"={default}"
    return text


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    text: str = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _PATH.sub("", text)


def _assigned(module: ModuleType, name: str) -> tuple[str, str]:
    """Return the definition of a name that is no class or function, and the string below it."""
    for statement in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(statement, ast.ImportFrom) and any(alias.name == name for alias in statement.names):
            return _assigned(importlib.import_module(statement.module or ""), name)
    source = inspect.getsource(module)
    for statement, following in pairwise([*ast.parse(source).body, ast.Pass()]):
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            text = following.value if isinstance(following, ast.Expr) else None
            definition = ast.get_source_segment(source, statement) or name
            if definition.count("\n") > 12:
                definition = f"{name} = ..."
            return f"```python\n{definition}\n```", str(text.value) if isinstance(text, ast.Constant) else ""
    return "", ""

"""Generates the lists that pages ask for: commands, errors, events."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import msgspec

from stockyard import errors, events
from stockyard.cli.program import program
from stockyard.config.variables import VARIABLES
from tools.site.docstrings import first_line


def command_line() -> str:
    """Return every command with its arguments and options, as its ``--help`` has them."""
    # It takes the name of the program from how this one was started.
    text = program.generate_docs(output_format="markdown").replace(" -m tools.site ", " ")
    _, _, commands = text.partition("\n## ")
    commands = re.sub(r"^(#+) ", r"#\1 ", f"## {commands}", flags=re.M)
    commands = re.sub(r"^### Table of Contents\n.*?(?=^\*\*Commands)", "", commands, flags=re.M | re.S)
    return re.sub(r"(?<!`)``(?!`)", "`", commands).replace("```console", "```bash")


def error_tree() -> str:
    """Return the exceptions as a tree, each with the sentence that explains it."""
    lines: list[str] = []

    def add(error: type[BaseException], depth: int) -> None:
        bases = [base.__name__ for base in error.__bases__ if not base.__module__.startswith("stockyard")]
        also = f" (also `{'`, `'.join(bases)}`)" if bases and depth else ""
        lines.append(f"{'    ' * depth}- `{error.__name__}`{also}: {first_line(error.__doc__)}")
        for child in sorted(error.__subclasses__(), key=lambda child: child.__name__):
            if child.__name__ in errors.__all__:
                add(child, depth + 1)

    add(errors.StockyardError, 0)
    return "\n".join(lines)


def event_types() -> str:
    """Return a table of the event classes with their fields."""
    rows = ["| event | fields | meaning |", "|---|---|---|"]
    for name in events.__all__:
        value: Any = getattr(events, name)
        if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value.__struct_fields__:
            fields = ", ".join(f"`{field}`" for field in value.__struct_fields__)
            rows.append(f"| `{name}` | {fields} | {first_line(value.__doc__)} |")
    return "\n".join(rows)


def variables() -> str:
    """Return the table of the environment's variables, which the page on configuration holds."""
    rows = [f"| `{each.name}` | {each.meaning} | {each.default} |" for each in VARIABLES]
    return "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows, ""])


GENERATED: dict[str, Callable[[], str]] = {
    "command-line": command_line,
    "errors": error_tree,
    "events": event_types,
}

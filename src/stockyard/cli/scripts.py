"""`stockyard scripts`: the Lua that the server runs, as it runs it."""

from __future__ import annotations

from cyclopts import App as Command

from stockyard._store.scripts import load, names
from stockyard._suggestion import suggestion
from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.errors import ConfigError

scripts = Command(name="scripts", help="List the Lua scripts, or show one with the line numbers of its errors.")


@scripts.command(name="list")
def list_scripts(*, json: AsJson = False) -> None:
    """List the scripts and what each does."""
    loaded = [load(name) for name in names()]
    if json:
        show_json([{"name": each.name, "purpose": each.purpose, "sha": each.sha} for each in loaded])
    else:
        show_table(("script", "lines", "what it does"), [_row(each.name) for each in loaded], right=("lines",))


@scripts.command
def show(name: str, /) -> None:
    """Print a script as composed; an error such as user_script:57 means line 57 here.

    Args:
        name: as in finishing.finish.
    """
    if name not in names():
        raise ConfigError(f"there is no script {name!r}{suggestion(name, names())}")
    lines = load(name).text.splitlines()
    width = len(str(len(lines)))
    for number, line in enumerate(lines, 1):
        print(f"{number:>{width}}  {line}".rstrip())


def _row(name: str) -> tuple[str, int, str]:
    script = load(name)
    return script.name, len(script.text.splitlines()), script.purpose

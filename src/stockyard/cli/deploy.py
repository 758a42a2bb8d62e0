"""`stockyard deploy`: the files of the folder deploy/, shipped with it: servers, containers, monitoring."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cyclopts import App as Command

from stockyard._suggestion import suggestion
from stockyard.cli.display import show_json
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption

deploy = Command(
    name="deploy",
    help="List or print the files for servers, users, Docker, Kubernetes, systemd, Prometheus and Grafana.",
)


@deploy.command(name="list")
def list_files(*, json: AsJson = False) -> None:
    """List them by name."""
    names = sorted(_files())
    if json:
        show_json(names)
    else:
        print("\n".join(names))


@deploy.command
def show(name: str, /) -> None:
    """Print one: `stockyard deploy show users.acl > users.acl`.

    Args:
        name: as `stockyard deploy list` prints it.
    """
    found = _files()
    if name not in found:
        known = sorted(found)
        raise InvalidOption(f"no file {name!r}{suggestion(name, known)}; known: {', '.join(known)}")
    print(found[name].read_text(), end="")


def _files() -> dict[str, Traversable]:
    root: Traversable = files("stockyard") / "deployment"
    if not root.is_dir():
        # A checkout: the build copies the folder into the package.
        root = Path(__file__).parents[3] / "deploy"
    return dict(_walk(root, ""))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry))
    return found

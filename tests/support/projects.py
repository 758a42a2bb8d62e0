"""A folder in which a reader pastes the programs of pages, and runs them."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stockyard import embedded
from tests.support.documents import programs, write_programs
from tests.support.warm import WarmPython

# The plugin of the kit by its module, whether or not this environment knows it by its entry point; and the setting
# that the pages on tests ask for.
_PYTEST = shlex.split(
    "-p no:cacheprovider -p no:stockyard -p stockyard.testing.plugin -o asyncio_mode=auto "
    "-o asyncio_default_fixture_loop_scope=function"
)


class Project:
    """A folder whose programs share one embedded server, as those of a reader's project do.

    Args:
        root: the folder.
        python: runs the programs.
    """

    def __init__(self, root: Path, python: WarmPython) -> None:
        self._root = root
        self._python = python

    def folder(self, page: Path) -> Path:
        """Make a folder with the programs of a page."""
        folder = Path(tempfile.mkdtemp(dir=self._root))
        write_programs(page, folder)
        return folder

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of a shell in that folder; its keys have a prefix of their own."""
        names = {name for name in os.environ if not name.startswith(("REDIS_", "STOCKYARD_"))}
        own = {"XDG_DATA_HOME": str(self._root), "STOCKYARD_PREFIX": folder.name}
        return {name: os.environ[name] for name in names} | own

    def run_page(self, page: Path) -> None:
        """Run the programs of a page one after the other, and then its tests."""
        folder = self.folder(page)
        names = [program.name for program in programs(page)]
        tests = [name for name in names if name.startswith("test_")]
        if started := [name for name in names if name not in (*tests, "conftest.py")]:
            self._python.run(folder, self.environment(folder), programs=started)
        if tests:
            self.run(["-m", "pytest", "-q", *_PYTEST, *tests], folder)

    def run(self, arguments: list[str], folder: Path) -> str:
        """Run Python in a folder; return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=self.environment(folder),
            timeout=120,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def embedded_project(python: WarmPython) -> Iterator[Project]:
    """Make a project whose embedded server runs as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="stockyard-pages-") as name:
        root = Path(name)
        (root / "pyproject.toml").touch()
        before, data = Path.cwd(), os.environ.get("XDG_DATA_HOME")
        os.environ["XDG_DATA_HOME"] = name
        os.chdir(root)
        try:
            server = embedded.acquire()
        finally:
            os.chdir(before)
            os.environ.pop("XDG_DATA_HOME")
            os.environ.update({} if data is None else {"XDG_DATA_HOME": data})
        with server:
            yield Project(root, python)

"""What the pages under docs/ say runs."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT, blocks, foreign_code, fragments, programs
from tests.support.program import Program
from tests.support.projects import Project, embedded_project
from tests.support.warm import WarmPython

PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT / 'docs')}:{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block: str, redis_url: str, prefix: str, tmp_path: Path, warm_python: WarmPython) -> None:
    own = {"REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix, "XDG_DATA_HOME": str(tmp_path)}
    warm_python.run(ROOT, {**os.environ, **own}, blocks=[block])


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_of_a_page_that_runs_any_is_marked(page: Path) -> None:
    marked = len(blocks(page)) + len(programs(page))
    assert not marked or page.read_text().count("```python") == marked


TEACHING = [page for page in PAGES if programs(page)]
"""The pages whose blocks are programs, which a reader pastes into files."""
EXTENDING = {"fastapi.md"}
"""Pages that show beside a program what may be added to it."""


@pytest.fixture(scope="module")
def project(warm_python: WarmPython) -> Iterator[Project]:
    with embedded_project(warm_python) as project:
        yield project


@pytest.mark.parametrize("page", TEACHING, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_the_programs_of_a_page_run(page: Path, project: Project) -> None:
    project.run_page(page)


def test_the_commands_of_the_quickstart_run(project: Project) -> None:
    page = ROOT / "docs" / "quickstart.md"
    folder = project.folder(page)
    commands = [shlex.split(line)[1:] for line in re.findall(r"^stockyard .*$", page.read_text(), re.M)]
    worker, add = commands
    stockyard = ["-m", "stockyard"]
    environment = project.environment(folder)
    with Program(
        [sys.executable, *stockyard, *worker], cwd=folder, env=environment, stderr=subprocess.PIPE
    ) as working:
        assert "welcomed grace@example.org" in project.run([*stockyard, *add], folder)
        working.terminate()
        assert working.wait(timeout=30) == 0


@pytest.mark.parametrize("page", TEACHING, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_a_fragment_stands_in_a_program_of_its_page(page: Path) -> None:
    lines = [{line.strip() for line in program.text.splitlines()} for program in programs(page)]
    for fragment in fragments(page):
        if page.name in EXTENDING:
            ast.parse(fragment)
            continue
        shown = {line.strip() for line in fragment.splitlines()} - {"...", ""}
        assert any(shown <= program for program in lines), fragment


@pytest.mark.parametrize("page", TEACHING, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_the_code_before_a_migration_is_python(page: Path) -> None:
    for text in foreign_code(page):
        ast.parse(text)


def test_the_program_on_fastapi_is_the_example() -> None:
    (program,) = programs(ROOT / "docs" / "howto" / "fastapi.md")
    _, _, code = (ROOT / "examples" / "fastapi_service.py").read_text().partition('"""\n\n')
    assert program.text == code

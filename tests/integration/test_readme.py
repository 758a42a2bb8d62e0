"""What the README and the platform's page show runs."""

import os
import re
from pathlib import Path

import pytest

from stockyard.trading import PLATFORM
from tests.support.documents import ROOT, blocks, run_program
from tests.support.warm import WarmPython

README = (ROOT / "README.md").read_text()
PLATFORM_PAGE = ROOT / "docs" / "reference" / "trading-platform.md"
BLOCKS = blocks(ROOT / "README.md") + blocks(PLATFORM_PAGE)
EXAMPLE = re.search(r"<!-- (examples/\S+) -->\n```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1][:40])
def test_a_block_runs(block: str, redis_url: str, prefix: str, warm_python: WarmPython) -> None:
    own = {"REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix}
    warm_python.run(ROOT, {**os.environ, **own}, blocks=[block])


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 6


def test_the_readme_is_short_enough_to_read() -> None:
    assert len(README.splitlines()) <= 200


def test_the_first_example_is_the_file_and_runs_on_a_server_of_its_own(tmp_path: Path) -> None:
    assert EXAMPLE is not None
    file = ROOT / EXAMPLE[1]
    _, _, code = file.read_text().partition('"""\n\n')
    assert EXAMPLE[2] == code
    assert run_program([str(file)], XDG_DATA_HOME=str(tmp_path)) == "welcomed ada@example.org\n"


def test_the_platform_s_numbers_are_the_declared_ones() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([a-z_:]+)` \| (\d+) \| (\d+) \|", PLATFORM_PAGE.read_text(), re.M)
    assert [(name, int(concurrency), int(attempts)) for _, name, concurrency, attempts in rows] == [
        (spec.name, spec.concurrency, spec.defaults.attempts) for spec in PLATFORM
    ]
    assert [constant.lower().replace("_", ":", 1) for constant, *_ in rows] == [spec.name for spec in PLATFORM]


def test_every_link_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []

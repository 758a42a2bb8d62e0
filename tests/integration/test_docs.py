"""What the pages under docs/ say runs."""

from pathlib import Path

import pytest

from tests.support.documents import ROOT, blocks, run_block

PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page.relative_to(ROOT / 'docs')}:{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block: str, redis_url: str, prefix: str, tmp_path: Path) -> None:
    run_block(block, REDIS_URL=redis_url, STOCKYARD_PREFIX=prefix, XDG_DATA_HOME=str(tmp_path))


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_of_a_page_that_runs_any_is_marked(page: Path) -> None:
    assert not blocks(page) or page.read_text().count("```python") == len(blocks(page))

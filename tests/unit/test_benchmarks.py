"""The benchmarks name programs that exist, and their page names every row."""

import re

import pytest
from benchmarks.environments import BULLMQ, BULLMQ_PROGRAM, BULLMQ_TUNED, CACHES, PEERS, REDIS, Peer
from benchmarks.rows import ROWS

from tests.support.documents import ROOT

HOME = ROOT / "benchmarks"
TEXT = "\n".join(path.read_text() for path in sorted((HOME / "rows").glob("*.py")))


def programs(pattern: str) -> set[str]:
    return set(re.findall(rf'{pattern}\(\s*"(\w+)"', TEXT))


@pytest.mark.parametrize(
    ("pattern", "folder", "ending"),
    [
        (r"bench\.ours", "sides", "py"),
        (r"bench\.node", "node", "mjs"),
        (r"\bstart", "sides", "py"),
        (r"\bstart", "node", "mjs"),
    ],
)
def test_every_side_that_a_row_starts_is_there(pattern: str, folder: str, ending: str) -> None:
    named = programs(pattern)
    assert named
    assert [name for name in sorted(named) if not (HOME / folder / f"{name}.{ending}").is_file()] == []


@pytest.mark.parametrize(
    "peer", [BULLMQ, BULLMQ_TUNED, BULLMQ_PROGRAM, *PEERS, *CACHES, REDIS], ids=lambda peer: peer.script
)
def test_every_peer_has_its_program(peer: Peer) -> None:
    assert (HOME / "peers" / f"{peer.script}.py").is_file()


def test_the_page_has_a_line_for_every_row() -> None:
    page = (HOME / "README.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.M) == list(ROWS)

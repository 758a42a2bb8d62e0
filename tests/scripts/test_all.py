"""Every script has its file of tests here."""

from pathlib import Path

from stockyard._store.scripts import load, names
from tests.scripts.full_server import REFUSED, WORKS


def test_no_script_is_without_tests() -> None:
    tested = {
        path.stem.removeprefix("test_").replace("_", ".", 1) for path in Path(__file__).parent.glob("test_*_*.py")
    }
    assert tested >= {load(name).plain_name for name in names()}


def test_it_is_decided_for_every_script_what_it_does_on_a_full_server() -> None:
    """Each test of a script runs on a full server, too, and holds the script to this (see conftest)."""
    assert {load(name).plain_name for name in names()} == WORKS | REFUSED
    assert not WORKS & REFUSED

"""Every script has its file of tests here."""

from pathlib import Path

from stockyard._store.scripts import names


def test_no_script_is_without_tests() -> None:
    tested = {
        path.stem.removeprefix("test_").replace("_", ".", 1) for path in Path(__file__).parent.glob("test_*_*.py")
    }
    assert tested >= set(names())

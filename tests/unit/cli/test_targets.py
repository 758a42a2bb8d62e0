"""MODULE:ATTR, found or explained."""

from pathlib import Path

import pytest

from stockyard.cli.targets import find
from stockyard.errors import ConfigError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_folder_of_the_caller_holds_modules(here: Path) -> None:
    (here / "stall_one.py").write_text("class apples:\n    price = 3\n")
    assert find("stall_one:apples.price") == 3


@pytest.mark.parametrize(
    "text", ["", "stall", "stall:", ":apples", "stall.py:apples:x", "../stall:apples", "a b:c"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        find(text)


def test_a_missing_module_is_told_from_a_missing_import_of_the_module(here: Path) -> None:
    (here / "stall_two.py").write_text("import pears_that_nobody_sells\n")
    with pytest.raises(ConfigError, match="there is no module 'stall_three'"):
        find("stall_three:apples")
    with pytest.raises(ConfigError, match=r"there is no module 'stall_three'"):
        find("stall_three.left:apples")
    with pytest.raises(ModuleNotFoundError, match="pears_that_nobody_sells"):
        find("stall_two:apples")


def test_a_misspelt_name_is_explained(here: Path) -> None:
    (here / "stall_four.py").write_text("import os\napples = 1\n_pips = 2\n")
    with pytest.raises(ConfigError, match=r"stall_four has no 'aples'; did you mean 'apples'\? Known: apples$"):
        find("stall_four:aples")

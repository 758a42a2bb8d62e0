"""Texts for users say things in the field's words; private words are not found by searching."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

PRIVATE = re.compile(
    r"\b(tells?|told|telling|whoever|somebody|everybody|anew|so long as|its like|bear being|lets? go|letting go|"
    r"bury|buries|heeds?|heeded|rung|doom|lookout|roster|what is wrong)\b",
    re.I,
)
SOURCES = sorted((ROOT / "src" / "stockyard").rglob("*.py"))


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a program that have more than one word: docstrings, help, messages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for offset, line in enumerate(node.value.splitlines()):
                # The name of an argument before its meaning is code.
                text = re.sub(r"^\s*\w+:(?= )", "", line)
                if " " in text.strip():
                    yield node.lineno + offset, text


def private_words(source: str) -> list[str]:
    return [f"{line}: {text.strip()}" for line, text in sentences(source) if PRIVATE.search(text)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_module_has_no_private_words(path: Path) -> None:
    assert private_words(path.read_text()) == []


def test_the_readme_has_no_private_words() -> None:
    assert PRIVATE.findall((ROOT / "README.md").read_text()) == []


def test_private_words_are_found() -> None:
    assert private_words('"""Hooks are told of it."""\nraise E(f"{x} was made anew by {y}")') != []
    assert len(private_words('"""A.\n\n    told: is fine.\n    x: tells of it.\n    """')) == 1

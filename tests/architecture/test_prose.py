"""The documentation speaks the field's words, opens its pages with sentences, and has headings to search for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files
from tests.architecture.test_words import PRIVATE
from tools.blocks import blocks, not_a_program

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
OF_THE_PROJECT = [path for path in files(".md") if DOCS not in path.parents]
"""Pages for those who work on the project, and those beside examples, benchmarks and files for deploying."""
DECISIONS = DOCS / "adr"
"""Decisions have sentences for titles, and begin with their context."""
TEACHING = [page for page in PAGES if page.parent != DECISIONS]
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
NO_NOUN = re.compile(
    r"^(what|when|where|which|who|why|how|if|out of|try|mount|mind|from|in|on|without|not|ours|"
    r"add|get|install|move|run|send|share|start|stop|use)\b(?! signals)|"
    r"\b(it|we|you|he|is|are|was|were|does|says?|has)\b",
    re.I,
)
"""How a heading begins, or what it holds, that is a clause or an order instead of a noun."""
NAMED = {"how-to guides", "not understood"}
"""What the field, or an alert, is called, though it begins like a clause."""
VERB = re.compile(
    r"\b(is|are|was|were|be|been|has|have|had|can|must|may|will|does|do|want|need|holds?|holding|"
    r"[a-z]{2,}(?:s|ed)|run|take|give|add|build|send|set|write|keep|pause|wait|count|use|make|put|tell|fail|learn)\b"
)
"""What a sentence has; plurals pass as well, and a list of names does not."""


def prose(page: Path) -> str:
    """A page without its programs, each of which leaves an empty line."""
    return FENCE.sub("", page.read_text())


def opening(page: Path) -> str:
    """The first paragraph below the title; a comment for programs is none."""
    _, _, rest = page.read_text().partition("\n")
    return next((part for part in rest.split("\n\n") if part.strip() and not part.lstrip().startswith("<!--")), "")


def headings(page: Path) -> Iterator[str]:
    yield from re.findall(r"^#+ (.+)$", prose(page), re.M)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", sorted({*PAGES, *OF_THE_PROJECT}), ids=name)
def test_a_page_has_no_private_words(page: Path) -> None:
    # Programs and commands too: readers paste their comments.
    found = [line.strip() for line in page.read_text().splitlines() if PRIVATE.search(line)]
    assert found == []


def test_files_for_deploying_have_no_private_words() -> None:
    texts = {name(path): path.read_text() for path in files() if path.is_relative_to(ROOT / "deploy")}
    assert len(texts) > 10
    assert {path for path, text in texts.items() if PRIVATE.search(text)} == set()


@pytest.mark.parametrize("page", TEACHING, ids=name)
def test_a_page_opens_with_a_sentence(page: Path) -> None:
    first = opening(page).strip()
    assert re.match(r"[A-Z`*]", first), f"a page opens with a sentence, not with {first[:60]!r}"
    assert first[-1] in ".:?" or "\n|" in first, first
    sentence = re.split(r"(?<=[.?:])\s", re.sub(r"`[^`]*`", "it", first))[0]
    assert VERB.search(sentence), f"a sentence has a verb: {sentence!r}"


@pytest.mark.parametrize("page", TEACHING, ids=name)
def test_headings_are_nouns(page: Path) -> None:
    clauses = [
        text for text in headings(page) if text.lower() not in NAMED and NO_NOUN.search(re.sub(r"`.*?`", "", text))
    ]
    assert clauses == []


def test_what_is_no_heading_is_found() -> None:
    for text in (
        "What it costs",
        "Try it",
        "When a child fails",
        "Share queues",
        "Not built yet",
        "Without asyncio",
    ):
        assert NO_NOUN.search(text), text
    for text in ("Retries", "Run signals", "Graceful shutdown", "Stampede protection", "Limits of the stream"):
        assert not NO_NOUN.search(text), text
    assert not VERB.search("Of it; left out, the default of the queue")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_is_a_program_that_can_be_pasted(page: Path) -> None:
    # The rest is checked by `python -m tools.blocks`: ruff, and mypy.
    assert list(filter(None, map(not_a_program, blocks(page)))) == []

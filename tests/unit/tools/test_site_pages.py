"""The pages of the site: their links, their order, their Markdown for programs."""

import re
from pathlib import Path

from tests.architecture.test_public_names import OF_EXTRAS, PUBLIC
from tools.site.api import api_pages, public_modules
from tools.site.docstrings import first_line, markdown
from tools.site.link_check import broken_links, read_page
from tools.site.llms import first_sentence, llms_text
from tools.site.navigation import navigation, sections
from tools.site.pages import DOCS, PROJECT, gather, title

PARTS = dict.fromkeys(
    ("command-line", "errors", "events", "view-top", "view-health", "view-queue-list", "view-doctor"),
    lambda: "GENERATED",
)


def test_every_document_is_a_page() -> None:
    pages = gather(PARTS)
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} <= set(pages)
    assert set(PROJECT.values()) <= set(pages)
    assert "GENERATED" in pages["reference/command-line.md"]


def test_a_link_to_a_file_leads_to_a_page_that_shows_it() -> None:
    pages = gather(PARTS)
    assert "](../project/files/examples/risk_approvals.py.md)" in pages["reference/cache.md"]
    assert "\n```python\n" in pages["project/files/examples/risk_approvals.py.md"]


def test_every_page_is_in_the_navigation_once() -> None:
    pages = gather(PARTS) | api_pages()

    def paths(entries: list[dict[str, object]]) -> list[str]:
        inner = [value for entry in entries for value in entry.values()]
        return [path for value in inner for path in (paths(value) if isinstance(value, list) else [str(value)])]

    assert sorted(paths(navigation(pages))) == sorted(pages)


def test_a_section_follows_its_index() -> None:
    pages = {
        "index.md": "# Home",
        "tutorial/index.md": "# Tutorial\n\n1. [B](b.md)\n2. [A](a.md)",
        "tutorial/a.md": "# A",
        "tutorial/b.md": "# B",
        "tutorial/c.md": "# C",
    }
    assert sections(pages)["Tutorial"] == ["tutorial/index.md", "tutorial/b.md", "tutorial/a.md", "tutorial/c.md"]


def test_a_title_is_no_comment_of_a_program() -> None:
    assert title("```python\n# no title\n```\n\n# The *title*\n", "a.md") == "The title"


OPENING = re.compile(
    r"\b(is|are|has|have|adds?|admits|annotate|binds|calls|carry|declares|get|helps|holds|keeps?|lets|makes?|publishes|"
    r"runs|shows|stop|takes)\b",
    re.I,
)
"""The verbs of the first sentences: plurals of nouns look like verbs, so that an ending proves nothing."""


def test_a_page_of_the_api_opens_with_a_verb() -> None:
    openings = {path: first_sentence(text) for path, text in api_pages().items()}
    assert {path: text for path, text in openings.items() if not OPENING.search(text)} == {}


def test_the_api_has_the_public_modules() -> None:
    assert set(PUBLIC) - set(OF_EXTRAS) <= set(public_modules())
    page = api_pages()["reference/api/stockyard.Queue.md"]
    assert "async def add(" in page
    assert "- `QueueFull`: " in page


def test_a_docstring_becomes_markdown() -> None:
    text = """Do one thing.

    Args:
        name: what it is called,
            over two lines.
        **options: see ``Options``.

    More of it.

    Example:
        do("it")
    """
    assert first_line(text) == "Do one thing."
    assert markdown(text) == (
        "Do one thing.\n\n"
        "**Args**\n\n- `name`: what it is called, over two lines.\n- `**options`: see `Options`.\n\n"
        "More of it.\n\n"
        '**Example**\n\n```python\ndo("it")\n```'
    )


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "style.css").touch()
    (tmp_path / "a" / "b.html").write_text('<h2 id="here"></h2>')
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="style.css"><script src="https://elsewhere.example/x.js"></script>'
        '<a href="a/b.html#here"></a><a href="a/b.html#there"></a><a href="a/c.html"></a><img src="no.png">'
        '<a href="https://elsewhere.example/"></a><a href="#top"></a>'
    )
    assert broken_links(tmp_path) == [
        "index.html: #top has no such anchor",
        "index.html: a/b.html#there has no such anchor",
        "index.html: a/c.html does not exist",
        "index.html: loads https://elsewhere.example/x.js from another host",
        "index.html: loads no.png, which does not exist",
    ]


def test_a_page_is_read() -> None:
    page = read_page('<a href="x">x</a><a name="old"></a><img src="y.svg">')
    assert (page.links, page.loads, page.anchors) == (["x"], ["y.svg"], {"old"})


def test_llms_txt_lists_the_pages_with_their_first_sentences() -> None:
    pages = {"a.md": "# A\n\nA [link](b.md) is here. More.\n"}
    assert first_sentence(pages["a.md"]) == "A link is here."
    assert "## Start\n\n- [A](a.md): A link is here.\n" in llms_text({"Start": ["a.md"]}, pages, {"a.md": "A"})

"""The check of the site's search: which results it looks at, and how results of the API are named."""

import json
import shutil
from pathlib import Path

import pytest

from tools.site.pages import DOCS
from tools.site.search_check import EXPECTED, label_api, not_found, unfitting

ALL = {term: [f"{pages[0]}.html"] for term, pages in EXPECTED.items()}


def test_the_pages_that_are_to_be_found_exist() -> None:
    assert [page for pages in EXPECTED.values() for page in pages if not (DOCS / f"{page}.md").is_file()] == []


def test_a_fitting_page_is_among_the_first_results() -> None:
    assert unfitting(ALL, 5) == []
    late = {**ALL, "retry": [*["reference/wire.html"] * 5, "howto/retries.html#options"]}
    assert unfitting(late, 5) == ["retry"]
    assert unfitting(late, 6) == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An index in which each term is the title of its page, and of a method of the API that comes before it."""
    items = [
        {"location": location, "level": 1, "title": term, "text": "", "path": [], "tags": []}
        for term, (page, *_) in EXPECTED.items()
        for location in ("reference/api/stockyard.html#method", f"{page}.html")
    ]
    (tmp_path / "search.json").write_text(
        json.dumps({"config": {"lang": ["en"], "separator": r"[\s]+"}, "items": items})
    )
    return tmp_path


def test_results_of_the_api_say_so(site: Path) -> None:
    label_api(site)
    titles = [item["title"] for item in json.loads((site / "search.json").read_text())["items"][:2]]
    assert titles == ["API: retry", "retry"]
    _, _, text = (site / "search.js").read_text().partition(" = ")
    assert text == (site / "search.json").read_text()


def test_without_node_the_pages_must_hold_the_terms(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert not_found(site) == []
    (site / "search.json").write_text('{"items": []}')
    assert not_found(site) == list(EXPECTED)

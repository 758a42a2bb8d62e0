"""Builds the documentation site: ``python -m tools.site``, run by ``make docs``.

The pages are plain Markdown. They are gathered in build/site, where Zensical makes the site from them.
Links and search are checked then, and the Markdown of every page is put beside its HTML.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tools.site.api import api_pages
from tools.site.link_check import broken_links
from tools.site.lists import GENERATED
from tools.site.llms import write
from tools.site.navigation import navigation, sections
from tools.site.pages import DOCS, ROOT, gather, title
from tools.site.search_check import label_api, not_found
from tools.site.views import VIEWS, draw_views, view_link

BUILD = ROOT / "build" / "site"
SITE = BUILD / "html"
ASSETS = Path(__file__).parent / "assets"
_PALETTE = (
    ("(prefers-color-scheme)", None, "sun-moon", "Switch to light mode"),
    ("(prefers-color-scheme: light)", "default", "sun", "Switch to dark mode"),
    ("(prefers-color-scheme: dark)", "slate", "moon", "Follow the system"),
)


def configuration(pages: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration of Zensical, which reads it as JSON within YAML."""
    palette = [
        {
            "media": media,
            **({"scheme": scheme} if scheme else {}),
            "toggle": {"icon": f"lucide/{icon}", "name": name},
        }
        for media, scheme, icon, name in _PALETTE
    ]
    features = ["content.code.copy", "navigation.footer", "navigation.path", "navigation.top", "search.highlight"]
    return {
        "site_name": "Stockyard",
        "site_description": "Job queue, cache and pub/sub for Python on Redis or Valkey; BullMQ's protocol.",
        "docs_dir": "pages",
        "site_dir": "html",
        "nav": navigation(pages),
        "theme": {
            "name": "material",
            "variant": "modern",
            "language": "en",
            "font": False,
            "features": [*features, "navigation.indexes"],
            "palette": palette,
        },
        "plugins": [{"search": {}}, {"offline": {}}],
        "extra": {"generator": False, "polyfills": ["assets/iframe-worker.js"]},
        "markdown_extensions": [
            *("admonition", "attr_list", "tables", "md_in_html", "pymdownx.details", "pymdownx.superfences"),
            {"toc": {"permalink": True}},
            {"pymdownx.highlight": {"anchor_linenums": True, "pygments_lang_class": True}},
        ],
    }


def build() -> list[str]:
    """Build the site and return what is wrong with it, a line each."""
    began = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    views = {f"view-{name}": partial(view_link, name) for name in VIEWS}
    pages = gather(GENERATED | views) | api_pages()
    for path, text in pages.items():
        file = BUILD / "pages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # The pictures of pages; their Markdown is written above.
    shutil.copytree(DOCS, BUILD / "pages", ignore=shutil.ignore_patterns("*.md"), dirs_exist_ok=True)
    shutil.copytree(ASSETS, BUILD / "pages" / "assets")
    draw_views(BUILD / "pages" / "assets")
    (BUILD / "mkdocs.yml").write_text(json.dumps(configuration(pages), indent=1))
    command = [sys.executable, "-m", "zensical", "build", "--config-file", "mkdocs.yml"]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, check=False)
    if done.returncode or not (SITE / "index.html").is_file():
        return [f"zensical failed: {done.stdout}{done.stderr}"]
    label_api(SITE)
    write(SITE, sections(pages), pages, {path: title(text, path) for path, text in pages.items()})
    problems = broken_links(SITE) + [f"the search does not find {term!r}" for term in not_found(SITE)]
    print(f"{len(pages)} pages in {time.monotonic() - began:.0f} s: {SITE / 'index.html'}")
    return problems


if __name__ == "__main__":
    found = build()
    print("\n".join(found), file=sys.stderr)
    sys.exit(bool(found))

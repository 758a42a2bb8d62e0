"""The search of a documentation site that is opened from disk, where browsers start no worker."""

import shutil
from pathlib import Path

from playwright.async_api import Browser

from tests.support.documents import ROOT

# As the site's search does it: the query in the message becomes what was parsed from it.
_SEARCH = """
self.onmessage = ({ data }) => {
  const query = data.input;
  data.input = { parsed: query };
  self.postMessage({ query });
};
"""
_ASK = """
async () => {
  const worker = new Worker("search.js");
  const answers = [];
  worker.onmessage = ({ data }) => answers.push(data.query);
  const queries = [{ input: "re" }, { input: "retry" }];
  for (const [number, query] of queries.entries()) {
    worker.postMessage(query);
    while (answers.length === number) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { answers, inputs: queries.map((query) => query.input) };
}
"""


async def test_a_query_stays_in_its_field(browser: Browser, tmp_path: Path) -> None:
    """The first query waits for the search to be loaded, the second one goes to it at once."""
    shutil.copy(ROOT / "tools" / "site" / "assets" / "iframe-worker.js", tmp_path)
    (tmp_path / "search.js").write_text(_SEARCH)
    (tmp_path / "index.html").write_text('<!doctype html><body><script src="iframe-worker.js"></script></body>')
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto((tmp_path / "index.html").as_uri())
        seen = await page.evaluate(_ASK)
    assert seen == {"answers": ["re", "retry"], "inputs": ["re", "retry"]}

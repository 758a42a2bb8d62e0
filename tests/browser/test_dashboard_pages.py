"""Every page of our dashboard in Chromium, on a desk at work: small and large screens, light and dark.

With STOCKYARD_PICTURES=FOLDER it also takes the pictures of the documentation, as `make pictures` does.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from stockyard.dashboard import Dashboard
from tests.browser import showcase
from tests.browser.showcase import CANDLES, ORDERS, REPORTS
from tests.support.boards import served
from tests.support.yard import Yard

pytestmark = pytest.mark.long

PAGES = {
    "overview": "/",
    "active": f"/queue?name={ORDERS}&state=active",
    "queue": f"/queue?name={ORDERS}&state=failed",
    "completed": f"/queue?name={CANDLES}&state=completed",
    "job": f"/job?queue={ORDERS}&id=A20",
    "unknown": f"/job?queue={ORDERS}&id=lost-answer",
    "running": f"/job?queue={ORDERS}&id=A30",
    "delayed": f"/job?queue={CANDLES}&id=tomorrow",
    "search": "/search?q=data.day:7",
    "failures": "/failures",
    "keys": "/keys",
    "flow": f"/flow?queue={REPORTS}&id=daily",
    "schedules": "/schedules",
    "limits": "/limits",
    "halts": "/halts",
    "effects": "/effects",
    "workers": "/workers",
    "alerts": "/alerts",
    "caches": "/caches",
    "channels": "/channels",
    "server": "/server",
    "audit": "/audit",
}
SHOWN = ("overview", "job", "failures", "flow")
"""Of which the documentation has pictures."""
SMALL, LARGE = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
PICTURE = {"width": 1200, "height": 720}


@pytest_asyncio.fixture(loop_scope="session")
async def address(redis_url: str, prefix: str) -> AsyncIterator[str]:
    async with Yard(redis_url, prefix, topology=showcase.desk()) as yard:
        await showcase.fill(yard)
        board = Dashboard(yard.app, unprotected=True)
        async with served(board) as address:
            yield address
        await board.aclose()


async def test_every_page_is_readable_on_small_and_large_screens(browser: Browser, address: str) -> None:
    complaints: list[str] = []
    async with await browser.new_context(reduced_motion="reduce") as context:
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda reply: complaints.append(reply.url) if reply.status >= 400 else None)
        page.on(
            "request", lambda sent: None if sent.url.startswith(address) else complaints.append(f"asks {sent.url}")
        )
        for name, path in PAGES.items():
            await page.set_viewport_size(SMALL)  # type: ignore[arg-type]
            await page.goto(f"{address}{path}")
            await expect(page.locator("h1")).to_have_count(1)
            for size in (SMALL, LARGE):
                await page.set_viewport_size(size)  # type: ignore[arg-type]
                for scheme in ("light", "dark"):
                    await page.emulate_media(color_scheme=scheme)
                    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
                    assert await page.evaluate(CONTRAST) == [], (name, scheme)
            await keep_picture(page, name)
        await page.goto("about:blank")
    assert [each for each in complaints if each != "asks about:blank"] == []


async def keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("STOCKYARD_PICTURES")
    if folder and name in SHOWN:
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(PICTURE)  # type: ignore[arg-type]
        await page.screenshot(path=Path(folder) / f"{name}.png")


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) =>
      (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
    if (!hasText || !element.checkVisibility() || element.closest("svg, option, .hidden, .skip")) continue;
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const found = [element.tagName, element.className, element.textContent.slice(0, 30), ratio.toFixed(2)];
    if (ratio < 4.5) poor.push(found.join(" "));
  }
  return poor;
}"""
"""Texts with less contrast than WCAG asks of small ones."""

"""The real Bull Board in a real browser: what a person reads and presses there."""

import re
import subprocess
from collections.abc import Sequence
from typing import Self

from playwright.async_api import Locator, Page, expect

from tests.support.node import NODE_FOLDER

# The board's buttons on a job have a drawing and no text.
_DRAWINGS = {
    "retry": "refresh-cw",
    "promote": "corner-up-left",
    "reschedule": "clock",
    "change priority": "arrow-up-down",
    "duplicate": "files",
    "update data": "pencil",
    "remove": "trash-2",
    "remove unprocessed children": "list-x",
}


class BoardServer:
    """Bull Board as a Node process.

    Args:
        redis_url: of the server.
        queues: their names, as we say them; a colon splits what Node calls prefix and name.
    """

    def __init__(self, redis_url: str, queues: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            ["node", "board.mjs", redis_url, *queues],
            cwd=NODE_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line()

    def show(self, prefix: str) -> None:
        """Show the queues whose keys have a prefix, and no longer those of the last one."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{prefix}\n")
        self._process.stdin.flush()
        assert self._line() == prefix

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class Board:
    """Bull Board's pages.

    A dialog that is opened in the moment in which the last one goes is taken away with it, so a test opens the
    page anew between two dialogs.

    Args:
        page: of the browser.
        url: of the board.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url

    async def open(self, queue: str = "", state: str = "", *, job: str = "") -> None:
        """Go to the overview, to a queue, to its jobs of a state, or to one job."""
        path = f"queue/{queue.rpartition(':')[2]}" if queue else ""
        await self.visit(path + (f"/{job}" if job else "") + (f"?status={state}" if state else ""))

    async def visit(self, path: str) -> None:
        """Go to a page of the board by its path."""
        await self.page.goto(self._url + path)

    def card(self, queue: str) -> Locator:
        """A queue on the overview."""
        return self.page.get_by_role("listitem").filter(has=self.page.get_by_role("link", name=queue, exact=True))

    def row(self, schedule: str) -> Locator:
        """A schedule on the page of schedules."""
        return self.page.get_by_role("row").filter(has_text=schedule)

    async def shows_jobs(self, *names: str) -> None:
        """Expect exactly these jobs on the page, in any order."""
        heads = self.page.locator("section").get_by_role("link", name=re.compile(r"^#\S+ "))
        await expect(heads).to_have_count(len(names))
        for name in names:
            await expect(heads.filter(has_text=re.compile(rf"#\S+{re.escape(name)}$"))).to_have_count(1)

    async def press(self, action: str, *, confirm: bool = True) -> None:
        """Press a drawn button of the only job on the page, and confirm."""
        await self.page.locator(f"[data-base-ui-tooltip-trigger] button:has(.lucide-{_DRAWINGS[action]})").click()
        if confirm:
            await self.confirm()

    async def press_all(self, text: str) -> None:
        """Press one of the buttons above the jobs, and confirm."""
        await self.page.get_by_role("button", name=text).click()
        await self.confirm()

    async def choose(self, item: str, *, confirm: bool = False) -> None:
        """Choose from the menu of the queue."""
        await self.page.locator("section button[aria-haspopup=menu]").click()
        await self.page.get_by_role("menuitem", name=item).click()
        if confirm:
            await self.confirm()

    async def confirm(self) -> None:
        """Say yes, and expect the question to go."""
        question = self.page.get_by_role("alertdialog")
        await question.get_by_role("button", name="Confirm").click()
        await expect(question).to_have_count(0)

    async def write(self, label: str, text: str) -> None:
        """Replace what an editor of the open dialog holds."""
        editor = self.page.get_by_role("dialog").locator(f"label:has-text('{label}') + div [role=textbox]")
        await editor.fill(text)

    async def submit(self, button: str) -> None:
        """Press a button of the open dialog, and expect the dialog to go."""
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_role("button", name=button).click()
        await expect(dialog).to_have_count(0)

    async def tab(self, name: str) -> Locator:
        """Open one of the tabs of the only job on the page; return what it shows."""
        await self.page.get_by_role("tab", name=name).click()
        return self.page.get_by_role("tabpanel", name=name)

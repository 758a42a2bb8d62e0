"""Draws the terminal views of the documentation as SVG, by rich's export of what the commands print."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from stockyard import App
from stockyard.embedded import ephemeral
from stockyard.trading import PLATFORM, QueueName

VIEWS = {
    "top": ("stockyard top", "Queues with their counts and rates, the longest runs, the workers, and the alerts"),
    "health": ("stockyard health", "One line for each queue, and the alerts that fire"),
    "queue-list": (
        "stockyard queue list",
        "The declared queues with their concurrency, attempts, rate and executor",
    ),
    "doctor": ("stockyard doctor", "The server's findings, each with its danger and its remedy"),
}
"""The command of each view, and the text for readers who do not see it."""
_WIDTH, _ROWS = 118, 40
# Without the fonts that the template fetches from another host.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)


def view_link(name: str) -> str:
    """Return the Markdown that shows a view on a page one folder deep."""
    command, meaning = VIEWS[name]
    return f"![{command}: {meaning}.](../assets/{name}.svg)"


def draw_views(folder: Path) -> None:
    """Run the commands on a server of their own that holds some jobs, and draw what they print."""
    folder.mkdir(parents=True, exist_ok=True)
    with ephemeral(appendonly=False) as server:
        asyncio.run(_fill(server.url))
        for name, (command, _) in VIEWS.items():
            printed = _printed([*command.split()[1:], *(["--once"] if name == "top" else [])], server.url)
            (folder / f"{name}.svg").write_text(
                _svg(command, printed.replace(server.url, "redis://localhost:6379"))
            )


async def _fill(url: str) -> None:
    async with App(PLATFORM, url) as app:
        fills = [("recalculate-position", {"fill_id": number}) for number in range(120)]
        await app.queue(QueueName.PORTFOLIO_HIGH_PRIORITY).add_many(fills)
        await app.queue(QueueName.STRATEGY_SIGNALS).add("evaluate", {"symbol": "BTCUSDT"}, delay="1h")
        await app.queue(QueueName.BACKTEST_JOBS).pause()


def _printed(arguments: list[str], url: str) -> str:
    """Return what a command prints on a terminal, colours and all."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _WIDTH, 0, 0))
    environment = {**os.environ, "REDIS_URL": url, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "stockyard.cli", *arguments]
    parts: list[bytes] = []
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        try:
            while part := os.read(ours, 65536):
                parts.append(part)
        except OSError:
            pass  # The terminal's other end is closed: the command has ended.
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def _svg(command: str, printed: str) -> str:
    console = Console(record=True, width=_WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(printed.rstrip()))
    return console.export_svg(title=command, code_format=_FORMAT)

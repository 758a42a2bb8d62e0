"""Shows a replay: a live table on a terminal, plain lines elsewhere; and its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, NamedTuple

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stockyard.observe.health import QueueHealth
from stockyard.trading.demo.report import Report

_LINE_EVERY = 2.0
_MAX_LINES = 6
_PLAIN_WIDTH = 115
_PADDING = (0, 0, 0, 1)


class Snapshot(NamedTuple):
    """A replay at one moment; ``candles_in_all`` is None where it has no end."""

    seconds: float
    healths: Sequence[QueueHealth]
    candles: int
    candles_in_all: int | None
    orders: int
    applied: int
    jobs_per_second: int

    def line(self) -> str:
        """Return the moment in one line."""
        waiting, active, delayed = (
            sum(getattr(health, state) for health in self.healths) for state in ("waiting", "active", "delayed")
        )
        in_all = "" if self.candles_in_all is None else f"/{self.candles_in_all:,}"
        return (
            f"{self.seconds:5.1f} s  candles {self.candles:6,}{in_all}  orders {self.orders:3}  "
            f"fills applied {self.applied:3}  waiting {waiting:5,}  active {active:3}  delayed {delayed:3}  "
            f"{self.jobs_per_second:5,} jobs/s"
        )


class View:
    """Where a replay is shown.

    Args:
        stream: a terminal gets a table that lives, anything else gets lines.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._console = Console(file=stream, highlight=False)
        if not self._console.is_terminal:
            self._console.width = _PLAIN_WIDTH
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._lines: list[str] = []
        self._next_line = 0.0

    def __enter__(self) -> View:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Print one event."""
        self._lines = [*self._lines, text][-_MAX_LINES:]
        if not self._console.is_terminal:
            self._console.print(text, markup=False, soft_wrap=True)

    def announce(self, text: str) -> None:
        """Print what stays to be seen."""
        self._console.print(text, markup=False, soft_wrap=True)

    def show(self, moment: Snapshot) -> None:
        """Show the newest snapshot."""
        if self._console.is_terminal:
            self._live.update(
                Group(_progress(moment), _moment_table(moment), *map(Text, self._lines)), refresh=True
            )
        elif moment.seconds >= self._next_line:
            self._next_line = moment.seconds + _LINE_EVERY
            self._console.print(moment.line(), markup=False, soft_wrap=True)

    def report(self, report: Report) -> None:
        """Show the result."""
        console = self._console
        console.print(
            f"\nReplayed {report.candles:,} daily candles of {', '.join(report.symbols)}: "
            f"{report.jobs:,} jobs in {report.seconds:.1f} s, {report.jobs_per_second:,} per second.\n",
            soft_wrap=True,
        )
        console.print(_figures_table(report))
        console.print(_backtest_table(report))
        for note in report.notes:
            console.print(note, markup=False, soft_wrap=True)
        console.print()
        for check in report.checks:
            mark, style = ("ok      ", "green") if check.ok else ("MISMATCH", "bold red")
            console.print(Text.assemble((mark, style), f"  {check.name}: {check.found}"), soft_wrap=True)
        console.print()


def _progress(moment: Snapshot) -> Text:
    if moment.candles_in_all is None:
        done = f"{moment.candles:,} candles"
    else:
        share = moment.candles / moment.candles_in_all
        done = f"{'█' * round(share * 20):░<20} {share:4.0%}"
    return Text(
        f"{done}  {moment.orders} orders  {moment.applied} fills applied  "
        f"{moment.jobs_per_second:,} jobs/s  {moment.seconds:.0f} s"
    )


def _moment_table(moment: Snapshot) -> Table:
    table = Table(box=box.SIMPLE, padding=_PADDING)
    table.add_column("queue", no_wrap=True)
    for state in ("waiting", "active", "delayed", "completed", "failed"):
        table.add_column(state, justify="right", min_width=7)
    for health in moment.healths:
        counts = (health.waiting, health.active, health.delayed, health.completed, health.failed)
        table.add_row(health.name, *(f"{count:,}" for count in counts))
    return table


def _figures_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE, padding=_PADDING)
    table.add_column("queue", no_wrap=True)
    for name in ("processed", "failed", "retried", "wait p50", "wait p99"):
        table.add_column(name, justify="right")
    for each in report.queues:
        table.add_row(
            each.name,
            *(f"{count:,}" for count in (each.processed, each.failed, each.retried)),
            *(f"{wait:,} ms" for wait in (each.wait_p50, each.wait_p99)),
        )
    return table


def _backtest_table(report: Report) -> Table:
    table = Table(
        title=f"best of {len(report.backtests)} backtests", title_justify="left", box=box.SIMPLE, padding=_PADDING
    )
    for name in ("fast/slow days", "sharpe", "growth", "worst drawdown", "trades"):
        table.add_column(name, justify="right")
    for each in report.backtests[:3]:
        table.add_row(
            f"{each.fast}/{each.slow}",
            f"{each.sharpe:.2f} ± {each.error:.2f}",
            f"x{each.growth:.2f}",
            f"{each.drawdown:.0%}",
            f"{each.trades}",
        )
    return table

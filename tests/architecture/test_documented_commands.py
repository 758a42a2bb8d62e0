"""Every command that a page names can be given as it stands there."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cyclopts import MissingArgumentError

from stockyard.cli.program import program
from tests.architecture.repository import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`(stockyard [^`]+)`")
SYNOPSIS = re.compile(r" \| |\[|…")
"""What only a list of choices has."""


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text()
        fenced = [line for block in FENCED.findall(text) for line in block.splitlines()]
        # Behind two spaces or a hash stands what a line is for; behind an arrow, the file that the output goes to.
        lines = [re.split(r" {2,}| #| > ", line)[0] for line in fenced if line.startswith("stockyard ")]
        lines += [" ".join(each.split()) for each in INLINE.findall(FENCED.sub("", text))]
        yield from ((page.name, each) for each in lines if not SYNOPSIS.search(each))


COMMANDS = sorted(set(commands()))


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_is_understood(page: str, command: str) -> None:
    _, *arguments = shlex.split(command)
    # A sentence may name a command without what it needs.
    with suppress(MissingArgumentError):
        program.parse_args(arguments, exit_on_error=False, print_error=False)

"""What a page is: where its facts come from, and how often they are looked at while it is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from stockyard.app import App
from stockyard.dashboard.operations import Operations
from stockyard.dashboard.samples import Samples
from stockyard.errors import InvalidOption, ServerRefused

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page that a browser asks for.

    Attributes:
        app: whose queues they are.
        params: of the address, by name.
        samples: what was seen of all queues of late.
        operations: of this process.
    """

    app: App
    params: Mapping[str, str]
    samples: Samples
    operations: Operations

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter, or the default."""
        return self.params.get(name) or default

    def need(self, name: str) -> str:
        """Return a parameter.

        Raises:
            InvalidOption: the address lacks it.
        """
        value = self.params.get(name)
        if not value:
            raise InvalidOption(f"the address of this page needs {name!r}")
        return value

    def number(self, name: str, default: int = 1, most: int = 1_000_000) -> int:
        """Return a parameter that is a whole number from 1 on; the default where it is none."""
        value = self.params.get(name, "")
        return (
            min(max(int(value), 1), most) if value.isascii() and value.isdecimal() and len(value) < 9 else default
        )


Facts = Mapping[str, Any]
Look = Callable[[], Awaitable[Facts]]


@dataclass(frozen=True, slots=True)
class View:
    """One kind of page.

    Attributes:
        name: of its address and its templates.
        title: its heading.
        open: returns what looks, for one page; a page that goes on from look to look keeps its place there.
        every: seconds between two looks while it is watched.
        has_menu: whether the menu names it. Defaults to False.
    """

    name: str
    title: str
    open: Callable[[PageRequest], Look]
    every: float
    has_menu: bool = False


def looking(look: Callable[[PageRequest], Awaitable[Facts]]) -> Callable[[PageRequest], Look]:
    """Return how a page is opened whose looks are alike."""

    def opened(request: PageRequest) -> Look:
        return lambda: look(request)

    return opened


async def of_each(
    names: Sequence[str], ask: Callable[[str], Awaitable[T]]
) -> tuple[list[tuple[str, T]], list[str]]:
    """Ask every queue; return what each answered, and why some could not be read."""

    async def one(name: str) -> T | ServerRefused:
        try:
            return await ask(name)
        except ServerRefused as error:
            return error

    answers = await asyncio.gather(*map(one, names))
    pairs = list(zip(names, answers, strict=True))
    answered = [(name, answer) for name, answer in pairs if not isinstance(answer, ServerRefused)]
    return answered, [f"{name}: {answer}" for name, answer in pairs if isinstance(answer, ServerRefused)]


async def allowed(ask: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T | None:
    """Return the answer of a call, or None where this login may not ask.

    The call is made here: one that was made before would be left hanging where the page is closed meanwhile.
    """
    try:
        return await ask(*arguments, **options)
    except ServerRefused:
        return None

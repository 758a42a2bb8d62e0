"""Maps job names to handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from stockyard.errors import HandlerError
from stockyard.model.handler import Executor, Handler
from stockyard.model.job import Job

F = TypeVar("F", bound=Callable[[Job[Any]], Any])


class Router:
    """Handlers by job name; give one to a worker to serve many kinds of job.

    Example:
        router = Router()

        @router.handler("welcome")
        async def welcome(job: Job[Welcome]) -> None: ...
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def handler(self, name: str, *, executor: Executor | None = None) -> Callable[[F], F]:
        """Register the decorated function for jobs of that name.

        Raises:
            HandlerError: the name is taken, or the function cannot serve.
        """

        def register(function: F) -> F:
            self.add(name, function, executor=executor)
            return function

        return register

    def add(self, name: str, function: Callable[[Job[Any]], Any], *, executor: Executor | None = None) -> None:
        """Register a function for jobs of that name; the same errors as ``handler``."""
        if name in self._handlers:
            raise HandlerError(f"a handler for {name!r} is registered already")
        self._handlers[name] = Handler.of(function, executor)

    def get(self, name: str) -> Handler | None:
        """Return the handler for that job name, or None."""
        return self._handlers.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are served, sorted."""
        return tuple(sorted(self._handlers))

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def __iter__(self) -> Any:
        return iter(self._handlers.values())

"""Maps job names to handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from stockyard.errors import HandlerError
from stockyard.model.handler import Executor, Handler
from stockyard.model.options import is_text

F = TypeVar("F", bound=Callable[[Any], Any])


class Router:
    """Handlers by job name; give one to a worker to serve many kinds of job.

    Example:
        router = Router()

        @router.handler("welcome")
        async def welcome(job: Job[Welcome]) -> None: ...
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(self, name: str | None = None, *, executor: Executor | None = None) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, *, executor: Executor | None = None) -> Any:
        """Register the decorated function for jobs of that name.

        Args:
            name: of the jobs. Defaults to the function's own name: ``@router.handler`` is enough.
            executor: ``"async"``, ``"thread"`` or ``"process"``. Defaults to what the function is.

        Raises:
            HandlerError: the name is taken, or the function cannot serve.
        """
        if callable(name):
            self.add(_own_name(name), name, executor=executor)
            return name

        def register(function: F) -> F:
            self.add(_own_name(function) if name is None else name, function, executor=executor)
            return function

        return register

    def add(self, name: str, function: Callable[[Any], Any], *, executor: Executor | None = None) -> None:
        """Register a function for jobs of that name; the same errors as ``handler``."""
        if not is_text(name):
            raise HandlerError(f"a handler's name must be non-empty text, the name of its jobs; got {name!r}")
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


def _own_name(function: Any) -> str:
    """Return the name under which a function is registered when none is given.

    Raises:
        HandlerError: it has none, as a lambda or an object.
    """
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise HandlerError(f"{function!r} has no name of its own: give one, as in handler('welcome')")
    return name

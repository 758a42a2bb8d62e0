"""Maps job names to handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypedDict, TypeVar, Unpack, overload

from stockyard.errors import HandlerError
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.handler import Executor, Handler
from stockyard.model.retry_rule import ErrorClasses, RetryRule

F = TypeVar("F", bound=Callable[[Any], Any])


class HandlerOptions(TypedDict, total=False):
    """What ``Router.handler`` and ``QueueSpec.handler`` take beside a name.

    Keys:
        executor: ``"async"``, ``"thread"`` or ``"process"``. Defaults to what the function is.
        autoretry_for: only these exceptions are retried. Defaults to the queue's, or all.
        dont_retry_on: these exceptions fail the job at once. Defaults to the queue's, or none.
        batch: jobs of one call at most, 1 to 10,000: the function is given a list of them, and returns a list of
            results. Defaults to a call for each job.
        wait: how long the first job of a batch waits for others. Defaults to 50 ms.
    """

    executor: Executor | None
    autoretry_for: ErrorClasses | None
    dont_retry_on: ErrorClasses | None
    batch: int | None
    wait: Duration | None


class Router:
    """Handlers by job name; give one to a worker to serve many kinds of job.

    Example:
        router = Router()

        @router.handler("welcome")
        async def welcome(job: Job[Welcome]) -> None: ...

    Args:
        retries: which exceptions are retried, of handlers that do not say so themselves. Defaults to all.
    """

    def __init__(self, *, retries: RetryRule | None = None) -> None:
        self._handlers: dict[str, Handler] = {}
        self._retries = retries

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(self, name: str | None = None, **options: Unpack[HandlerOptions]) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, **options: Unpack[HandlerOptions]) -> Any:
        """Register the decorated function for jobs of that name.

        Args:
            name: of the jobs. Defaults to the function's own name: ``@router.handler`` is enough.
            options: see ``HandlerOptions``.

        Raises:
            HandlerError: the name is taken, or the function cannot serve.
            InvalidOption: an option is not known or out of its range, there is no such executor, or something else
                than exception classes.
        """
        checks.refuse_unknown(options, HandlerOptions.__annotations__, of="a handler")
        retries = RetryRule.of(options.get("autoretry_for"), options.get("dont_retry_on"), default=self._retries)
        chosen: dict[str, Any] = {option: options.get(option) for option in ("executor", "batch", "wait")}
        if callable(name):
            self.add(_own_name(name), name, retries=retries, **chosen)
            return name
        if name is not None:
            _check_name(name)

        def register(function: F) -> F:
            own = _own_name(function) if name is None else name
            self.add(own, function, retries=retries, **chosen)
            return function

        return register

    def add(
        self,
        name: str,
        function: Callable[[Any], Any],
        *,
        executor: Executor | None = None,
        retries: RetryRule | None = None,
        batch: int | None = None,
        wait: Duration | None = None,
    ) -> None:
        """Register a function for jobs of that name; the same errors as ``handler``."""
        _check_name(name)
        if name in self._handlers:
            raise HandlerError(f"a handler for {name!r} is registered already")
        rule = self._retries if retries is None else retries
        self._handlers[name] = Handler.of(function, executor, rule, batch=batch, wait=wait)

    def get(self, name: str) -> Handler | None:
        """Return the handler for that job name, or None."""
        return self._handlers.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are served, sorted."""
        return tuple(sorted(self._handlers))

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._handlers.values())


def _check_name(name: Any) -> None:
    if not checks.is_text(name):
        raise HandlerError(
            f"a handler's name must be non-empty text, the name of its jobs; got {checks.shown(name)}"
        )


def _own_name(function: Any) -> str:
    """Return the name under which a function is registered when none is given.

    Raises:
        HandlerError: it has none, as a lambda or an object.
    """
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise HandlerError(f"{function!r} has no name of its own: give one, as in handler('welcome')")
    return name

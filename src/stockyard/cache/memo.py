"""A function whose answers are remembered."""

from __future__ import annotations

import functools
import types
from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Memo(Generic[P, T]):
    """Made by ``Cache.memo``; called like the function, and awaited even if that is a plain ``def``.

    Args:
        function: computes an answer.
        key: names an answer by the function's arguments.
        ask: returns the answer of a key, remembered or computed by the loader that it is given.
        forget: deletes the answer of a key.
        sync: makes a coroutine function a blocking one.
    """

    __name__: str

    def __init__(
        self,
        function: Callable[P, Any],
        *,
        key: Callable[P, str],
        ask: Callable[..., Awaitable[T]],
        forget: Callable[[str], Awaitable[int]],
        sync: Callable[[Any], Any],
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._ask = ask
        self._forget = forget
        self._sync = sync
        self.key = key

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's answer for these arguments; errors are those of ``Cache.get_or_set``."""
        loader = functools.partial(self._function, *args, **kwargs)
        return await self._ask(self.key(*args, **kwargs), loader, args, kwargs)

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the answer for these arguments; say whether there was one."""
        return await self._forget(self.key(*args, **kwargs)) > 0

    @property
    def sync(self) -> Callable[P, T]:
        """The same for code without a running loop."""
        blocking: Callable[P, T] = self._sync(self.__call__)
        return blocking

    def __get__(self, instance: Any, _owner: Any = None) -> Memo[..., T]:
        if instance is None:
            return self

        def ask(name: str, loader: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[T]:
            return self._ask(name, loader, (instance, *args), kwargs)

        function, key = types.MethodType(self._function, instance), functools.partial(self.key, instance)
        return Memo(function, key=key, ask=ask, forget=self._forget, sync=self._sync)

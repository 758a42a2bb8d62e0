"""A cached property that threads compute once, and that a fork leaves usable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from stockyard._aio.process_lock import ProcessLock

T = TypeVar("T")


class CachedProperty(Generic[T]):
    """Does as ``functools.cached_property``, whose lock in Python 3.11 a fork may leave locked for ever.

    From Python 3.12 on that has no lock: threads may compute the value more than once, and keep different ones.

    Args:
        compute: gives the value.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self._guard = ProcessLock()
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        # Found there without this method from now on.
        values = vars(instance)
        with self._guard:
            if self._name not in values:
                values[self._name] = self._compute(instance)
            value: T = values[self._name]
        return value

"""Which exceptions are worth another attempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from stockyard.errors import InvalidOption, RemoteHandlerError
from stockyard.model.printing import storable

ErrorClasses = type[BaseException] | Iterable[type[BaseException]]
"""An exception class, or several."""


class RetryRule(msgspec.Struct, frozen=True):
    """What a handler or a queue says of exceptions; a job without attempts left is never retried.

    Attributes:
        autoretry_for: only these, and their subclasses, are retried; None is all.
        dont_retry_on: these, and their subclasses, fail the job at once, whatever ``autoretry_for`` says.
    """

    autoretry_for: tuple[type[BaseException], ...] | None = None
    dont_retry_on: tuple[type[BaseException], ...] = ()

    @classmethod
    def of(
        cls,
        autoretry_for: ErrorClasses | None = None,
        dont_retry_on: ErrorClasses | None = None,
        *,
        default: RetryRule | None = None,
    ) -> RetryRule | None:
        """Check what was given; what is None is taken from ``default``. None when nothing is given at all.

        Raises:
            InvalidOption: something else than exception classes.
        """
        base = default or cls()
        rule = cls(
            base.autoretry_for if autoretry_for is None else exception_classes("autoretry_for", autoretry_for),
            base.dont_retry_on if dont_retry_on is None else exception_classes("dont_retry_on", dont_retry_on),
        )
        return None if rule == cls() else rule

    def allows(self, error: BaseException) -> bool:
        """Say whether another attempt may follow this error."""
        if _is_one_of(error, self.dont_retry_on):
            return False
        return self.autoretry_for is None or _is_one_of(error, self.autoretry_for)


def lineage_of(error: BaseException) -> tuple[str, ...]:
    """Return the names of the error's class and its bases, by which another process recognizes it."""
    return tuple(map(storable, map(_name_of, type(error).__mro__)))


def _is_one_of(error: BaseException, classes: tuple[type[BaseException], ...]) -> bool:
    remote = error if isinstance(error, RemoteHandlerError) else error.__cause__
    if isinstance(remote, RemoteHandlerError) and remote.lineage:
        # Raised in a child process, from which only names came.
        return any(_name_of(kind) in remote.lineage for kind in classes) or isinstance(error, classes)
    return isinstance(error, classes)


def _name_of(kind: type) -> str:
    # In a child process the main module has another name.
    module = "__main__" if kind.__module__ == "__mp_main__" else kind.__module__
    return f"{module}.{kind.__qualname__}"


def exception_classes(option: str, value: Any) -> tuple[type[BaseException], ...]:
    """Return exception classes that were given as one or as several.

    Raises:
        InvalidOption: something else than exception classes.
    """
    is_one = isinstance(value, type | str | bytes) or not isinstance(value, Iterable)
    given = (value,) if is_one else tuple(value)
    for each in given:
        if not isinstance(each, type) or not issubclass(each, BaseException):
            raise InvalidOption(f"{option} must be exception classes, such as (ConnectionError,); got {each!r}")
    return given

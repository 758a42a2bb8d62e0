"""Keeps the database connections of handlers fresh, as Django does for requests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

from stockyard.errors import HandlerError

P = ParamSpec("P")
R = TypeVar("R")


def fresh_connections(handler: Callable[P, R]) -> Callable[P, R]:
    """Close the thread's database connections that are broken or too old, before and after each run of a handler.

    Django does so around each request and knows no jobs: without this, the connection of a worker's thread lives
    until the database ends it, and the next job fails. ``CONN_MAX_AGE`` says what is too old.

    Args:
        handler: a plain function, which runs in a thread. Put ``@queue.handler`` above this decorator.

    Raises:
        HandlerError: the handler is a coroutine function: Django's connections belong to threads.
    """
    if iscoroutinefunction(handler):
        raise HandlerError(
            f"{handler.__qualname__} is a coroutine function, and Django's connections belong to threads: make it "
            "a plain function"
        )

    @functools.wraps(handler)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        close_old_connections()
        try:
            return handler(*args, **kwargs)
        finally:
            close_old_connections()

    return run

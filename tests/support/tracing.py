"""A tracer that keeps what it is told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Noted:
    """One span, as the tracer below keeps it."""

    def __init__(self, operation: str, attributes: Mapping[str, object]) -> None:
        self.operation = operation
        self.attributes = dict(attributes)
        self.error: BaseException | None = None

    def note(self, **attributes: object) -> None:
        self.attributes |= attributes


class Tracer:
    """Keeps the spans that have ended."""

    def __init__(self) -> None:
        self.ended: list[Noted] = []

    @contextmanager
    def span(self, operation: str, attributes: Mapping[str, object]) -> Iterator[Noted]:
        span = Noted(operation, attributes)
        try:
            yield span
        except BaseException as error:
            span.error = error
            raise
        finally:
            self.ended.append(span)

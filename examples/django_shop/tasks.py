"""Tasks, as Django 6 declares them; before it, the package django-tasks has the same."""

from typing import Any

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task(priority=10)
def total(numbers: list[int]) -> int:
    """Add up some numbers."""
    return sum(numbers)


@task(takes_context=True)
def flaky(context: Any, name: str) -> str:
    """Fail at the first attempt."""
    if context.attempt == 1:
        raise ConnectionError("the first attempt is lost")
    return f"{name} at attempt {context.attempt}"


@task
async def broken(why: str) -> None:
    """Fail at every attempt."""
    raise ValueError(why)

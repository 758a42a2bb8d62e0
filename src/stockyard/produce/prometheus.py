"""A queue's numbers as text for Prometheus, under the names that BullMQ gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stockyard.errors import InvalidOption

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_OWN = ("queue", "state")


def exposition(queue: str, counts: Mapping[str, int], completed: int, failed: int, more: Mapping[str, str]) -> str:
    """Return the text.

    Args:
        queue: its name.
        counts: jobs by state.
        completed, failed: jobs that ever ended so.
        more: labels that every line is to have.

    Raises:
        InvalidOption: a label's name is none, or one of those that the lines have already.
    """
    for name in more:
        if not isinstance(name, str) or not _LABEL.fullmatch(name) or name in _OWN:
            raise InvalidOption(
                f"a label's name must be letters, digits and '_', and not one of {', '.join(_OWN)}; got {name!r}"
            )
    return "".join(f"{line}\n" for line in _lines(queue, counts, completed, failed, more))


def _lines(
    queue: str, counts: Mapping[str, int], completed: int, failed: int, more: Mapping[str, str]
) -> Iterator[str]:
    yield "# HELP bullmq_job_count Number of jobs in the queue by state"
    yield "# TYPE bullmq_job_count gauge"
    for state, count in sorted(counts.items()):
        yield f"bullmq_job_count{_labels({'queue': queue, 'state': state} | dict(more))} {count}"
    for ending, total in (("completed", completed), ("failed", failed)):
        yield f"# HELP bullmq_job_{ending}_total Total number of {ending} jobs"
        yield f"# TYPE bullmq_job_{ending}_total counter"
        yield f"bullmq_job_{ending}_total{_labels({'queue': queue} | dict(more))} {total}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items()) + "}"

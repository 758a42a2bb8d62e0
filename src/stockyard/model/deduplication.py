"""Which jobs count as the same, and what happens to a job whose id is taken."""

from __future__ import annotations

from dataclasses import dataclass

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration


@checks.named_arguments(of="Deduplication")
@dataclass(frozen=True, slots=True, init=False)
class Deduplication:
    """Adds that share an id become one job: the first of them owns the id, the others are dropped.

    Args:
        id: what the jobs have in common.
        ttl: the id is taken for that long after the owner was added, even if the owner ends before. Defaults to
            as long as the owner has not ended.
        extend: every add that is dropped restarts the ttl.
        replace: an owner that is still delayed makes place for the new job.
        reschedule: an owner that is still delayed gets the delay of the new job.
        keep_last: of the jobs added while the owner runs, the last runs after it; the id is then taken as long as
            one of them has not ended.

    With ``ttl``, ``extend``, ``replace`` and a delay, a job runs once its adds have been quiet for that long.

    Raises:
        InvalidOption: ``ttl`` is no duration or 0, a flag is neither True nor False, two arguments
            exclude each other, or one is not known.

    Example:
        await queue.add("price", tick, deduplication=Deduplication(tick.symbol, ttl="5s"))
    """

    id: str
    ttl_ms: int | None
    extend: bool
    replace: bool
    reschedule: bool
    keep_last: bool

    def __init__(
        self,
        id: str,  # noqa: A002
        ttl: Duration | None = None,
        extend: bool = False,
        replace: bool = False,
        reschedule: bool = False,
        keep_last: bool = False,
    ) -> None:
        flags = {"extend": extend, "replace": replace, "reschedule": reschedule, "keep_last": keep_last}
        for option, chosen in flags.items():
            checks.flag(option, chosen)
        hint = "leave it out to wait for the owner's end"
        ttl_ms = None if ttl is None else checks.positive_ms("ttl", ttl, hint=hint)
        if extend and ttl_ms is None:
            raise InvalidOption("extend restarts the ttl; give a ttl, as in Deduplication(id, '5s', extend=True)")
        if replace and reschedule:
            raise InvalidOption("replace and reschedule exclude each other: the owner is removed or delayed again")
        for name, value in {"id": id, "ttl_ms": ttl_ms, **flags}.items():
            object.__setattr__(self, name, value)

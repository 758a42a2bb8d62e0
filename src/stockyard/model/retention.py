"""How long, and how many, finished jobs are kept."""

from __future__ import annotations

from typing import Any

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds


class Keep(msgspec.Struct, frozen=True):
    """What happens to a finished job's record.

    Attributes:
        age: seconds that finished jobs are kept. None: no limit by age.
        count: how many of the newest are kept; 0 removes at once. None: no limit by count.
        limit: at most so many are removed by age after one job. Defaults to 1000.
    """

    age: int | None = None
    count: int | None = None
    limit: int | None = None

    @classmethod
    def within(cls, age: Duration | None = None, count: int | None = None) -> Keep:
        """Keep for ``age`` (``"1h"``; whole seconds on the wire) and at most ``count`` of the newest."""
        seconds = None if age is None else -(-milliseconds(age, option="age") // 1000)
        return cls(seconds, None if count is None else checks.whole("count", count))


KeepOption = bool | int | Keep
"""True: remove at once. False: keep for ever. A number: keep so many. Keep: by age and count."""


def removes_at_once(keep: KeepOption | None) -> bool:
    """Say whether no record of a finished job stays."""
    return keep is True or (isinstance(keep, Keep) and keep.count == 0)


def checked_keep(value: Any, *, option: str) -> KeepOption:
    """Return the keep option as given if it is one.

    Raises:
        InvalidOption: it is none.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Keep):
        for name in value.__struct_fields__:
            if (amount := getattr(value, name)) is not None:
                checks.whole(f"the {name} of {option}", amount)
        return value
    if isinstance(value, int) and value >= 0:
        # As a Keep, because True == 1 and False == 0 mean the opposite of each other.
        return Keep(count=value)
    raise InvalidOption(
        f"{option} must be True (remove at once), False (keep for ever), a count, or Keep.within('1h', 10_000); "
        f"got {value!r}"
    )

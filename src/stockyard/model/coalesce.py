"""Jobs that replace each other's payload while they wait: by which key, and which payload stays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, get_args

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks

CoalesceMode = Literal["latest", "merge", "max"]
"""What becomes of the payload that waits and of the newer one; see ``Coalesce``."""

LONGEST_KEY = 200
"""Characters of a coalescing key."""


class Coalesce(msgspec.Struct, frozen=True):
    """One job of a key waits; a newer one replaces its payload, and it keeps its place.

    Attributes:
        key: what the jobs have in common, as in ``"price:BTCUSDT"``; empty in the declaration of a queue.
        mode: ``"latest"``: the newer payload stays. ``"merge"``: the members of both, those of the newer one
            replacing those of the same name. ``"max"``: that with the larger number in ``field``; of equal ones
            the newer one. ``merge`` and ``max`` take JSON objects alone. Defaults to what the queue declares, with
            ``field`` and ``refresh_expiry``.
        field: the member that ``max`` compares.
        refresh_expiry: the time of ``expires_in`` begins again with each replacement. Defaults to True; False
            lets the job expire when the first one would have.
        replaced: of a stored job: how many payloads were replaced so far.
        renewed_on: of a stored job whose payload was replaced: from when its delay and ``expires_in`` count, ms
            since the epoch; None for the first payload.

    Raises:
        InvalidOption: the key is no text of at most 200 characters, the mode is not known, or ``field`` is missing
            for ``max`` or given for another mode.
    """

    key: str = ""
    mode: CoalesceMode | None = None
    field: str = ""
    refresh_expiry: bool = True
    replaced: int = 0
    renewed_on: int | None = None

    def __post_init__(self) -> None:
        if self.mode is not None:
            checks.one_of("mode", self.mode, get_args(CoalesceMode))
        checks.flag("refresh_expiry", self.refresh_expiry)
        if self.key != "":
            checks.text("the key of coalesce", self.key, longest=LONGEST_KEY)
        if self.mode == "max":
            checks.text("the field of Coalesce(mode='max')", self.field, longest=LONGEST_KEY)
        elif self.field != "":
            raise InvalidOption(f"field is for mode='max'; got {checks.shown(self.field)} for mode={self.mode!r}")

    def of_queue(self, declared: Coalesce) -> Coalesce:
        """Return this with what the queue declares where it says no mode itself."""
        return self if self.mode is not None else _of_queue(declared, self.key)

    @classmethod
    def of(cls, value: Any) -> Coalesce | None:
        """Return what ``add`` is given: a key, or a ``Coalesce`` with one; None for none."""
        if value is None or (isinstance(value, Coalesce) and value.key):
            return value
        if checks.is_text(value) and len(value) <= LONGEST_KEY:
            return _of_key(value)
        raise InvalidOption(
            f"coalesce must be a key of 1 to {LONGEST_KEY} characters, or Coalesce(key, mode=…); "
            f"got {checks.shown(value)}"
        )

    @classmethod
    def declared(cls, value: Any) -> Coalesce | None:
        """Return what a queue's declaration says: a mode, or a ``Coalesce`` without a key."""
        if value is None:
            return None
        if isinstance(value, Coalesce) and value.mode is not None and not value.key:
            return value
        if value == "max":
            raise InvalidOption('coalesce="max" does not say what is compared: Coalesce(mode="max", field="…")')
        if isinstance(value, str) and value in get_args(CoalesceMode):
            return cls(mode=value)  # type: ignore[arg-type]  # it is one of them
        raise InvalidOption(
            'coalesce of a queue must be "latest", "merge" or Coalesce(mode=…) without a key, which jobs have; '
            f"got {checks.shown(value)}"
        )


# Ticks of the same symbols come again and again.
@lru_cache(4096)
def _of_key(key: str) -> Coalesce:
    return Coalesce(key)


@lru_cache(4096)
def _of_queue(declared: Coalesce, key: str) -> Coalesce:
    return msgspec.structs.replace(declared, key=key)

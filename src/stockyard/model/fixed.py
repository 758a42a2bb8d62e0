"""Objects whose public attributes cannot be assigned without effect."""

from __future__ import annotations

from typing import Any

from stockyard._suggestion import suggestion


class Fixed:
    """Refuses to assign a public attribute once the object is made, unless its class has a setter for it.

    The class sets ``_is_made`` at the end of its ``__init__``.
    """

    _is_made = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_made and not name.startswith("_"):
            settable = [each for each in dir(type(self)) if _has_setter(type(self), each)]
            if name not in settable:
                what = f"{type(self).__name__}.{name}"
                kind = "is fixed once it is made" if hasattr(self, name) else "does not exist"
                raise AttributeError(f"{what} {kind}: it cannot be assigned{suggestion(name, settable)}")
        object.__setattr__(self, name, value)


def _has_setter(kind: type, name: str) -> bool:
    found = getattr(kind, name, None)
    return isinstance(found, property) and found.fset is not None

"""What a misspelt name may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(given: str, known: Iterable[str]) -> str:
    """Say what a misspelt name may have meant, and what the known names are.

    Returns text to append to a message: ``"; did you mean 'delay'? Known: attempts, delay"``.
    """
    # Imported late: a process that misspells nothing does not need it.
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(given, names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Known: {', '.join(names) if names else 'none'}"

"""Who sits at the command line, for what is kept of a decision."""

from __future__ import annotations

import getpass


def user_name() -> str:
    """Return ``person (ada)``, by the user of this machine."""
    try:
        return f"person ({getpass.getuser()})"
    except (KeyError, OSError):  # a container whose user has no name
        return "person (unknown)"

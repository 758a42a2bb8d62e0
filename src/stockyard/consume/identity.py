"""What a process calls itself in the locks of its jobs, and which processes its supervisor saw die."""

from __future__ import annotations

import uuid

_own = ""
_dead: tuple[str, ...] = ()


def assume_identity(own: str, dead: tuple[str, ...]) -> None:
    """Take over what the supervisor chose, before any worker is made.

    Args:
        own: begins the tokens of all workers of this process.
        dead: identities of processes that died; their jobs are handed back by this one's workers.
    """
    global _own, _dead
    _own, _dead = own, dead


def new_worker_id() -> str:
    """Return an id for a worker: unlike all others, and beginning with this process's identity if it has one."""
    return f"{_own}.{uuid.uuid4().hex[:12]}" if _own else uuid.uuid4().hex


def dead_holders() -> tuple[str, ...]:
    """Return what the tokens of dead processes begin with."""
    return tuple(f"{identity}." for identity in _dead)

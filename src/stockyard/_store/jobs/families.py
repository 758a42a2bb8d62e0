"""Removes a job with all below it: a small family in one call, a large one in parts, the job itself last."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from stockyard._store.ids import id_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.packing import packable_id
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import load

_REMOVE = load("editing.remove")
_REMOVE_CHILDREN = load("editing.remove_children")
_LIST_BELOW = load("editing.list_below")
_REMOVE_BELOW = load("editing.remove_below")
_REMOVE_LISTED = load("editing.remove_listed")
_pack = msgspec.msgpack.Encoder().encode

_PART = 100
"""Jobs that one call looks at or removes."""

_FEW = 20
"""Jobs that are looked for along a list one by one."""

_WINDOW = 500
_MARGIN = 100
"""Places by which a list may have moved since it was read."""

_LISTS = ("wait", "paused", "active")
_FIRST_STAGE = (1, "0")


async def remove(keyspace: QueueKeyspace, job_id: str, *, children: bool = True) -> int:
    """Remove a job, with all jobs below it by default.

    A family too large for one call goes in parts, children before their parents, the job last. No parent of it
    goes on meanwhile, as each keeps count of the children that are gone; if the parts break off, removing again
    goes on.

    Returns how many were removed, 0 when a worker holds one of them (nothing was removed), ``TAKEN_MEANWHILE``,
    or another ``ReplyCode``.
    """
    code = int(await keyspace.run(_REMOVE, keyspace.base, job_id, int(children)))
    return await _Parts(keyspace, keyspace.keys.job(job_id)).remove(job_id) if code == ReplyCode.TOO_MANY else code


async def remove_unprocessed_children(keyspace: QueueKeyspace, job_id: str) -> int:
    """Remove the children that a job waits for, save those that run or failed.

    Returns how many, or ``JOB_MISSING``.

    Many go in parts, as ``remove`` does it; the job goes on when its last child is gone.
    """
    job = keyspace.keys.job(job_id)
    code = int(await keyspace.run(_REMOVE_CHILDREN, job))
    return await _Parts(keyspace, job, idle_only=True).remove_below() if code == ReplyCode.TOO_MANY else code


class _Parts:
    """A large family, removed part by part."""

    def __init__(self, keyspace: QueueKeyspace, top: str, *, idle_only: bool = False) -> None:
        self._keyspace = keyspace
        self._top = top
        self._idle_only = idle_only
        # Of a job that is removed itself, none of its children may let it go on.
        self._stays = top if idle_only else ""
        self._removed = 0
        self._is_held = False

    async def remove(self, job_id: str) -> int:
        below = await self._below()
        if below is None:
            return 0
        await self._remove_all(below)
        if self._is_held:
            return ReplyCode.TAKEN_MEANWHILE
        code = int(await self._keyspace.run(_REMOVE, self._keyspace.base, job_id, 0))
        return self._removed + code if code > 0 else ReplyCode.TAKEN_MEANWHILE if code == 0 else code

    async def remove_below(self) -> int:
        await self._remove_all(await self._below() or [])
        return self._removed

    async def _below(self) -> list[str] | None:
        """Return all below, level by level; None when a worker holds one."""
        found = {self._top: None}
        frontier: deque[Sequence[Any]] = deque([(self._top, *_FIRST_STAGE)])
        while frontier:
            some = [frontier.popleft() for _ in range(min(_PART, len(frontier)))]
            asked = _pack([(packable_id(key), *place) for key, *place in some])
            held, children, rest = await self._keyspace.run(_LIST_BELOW, asked, int(self._idle_only))
            if held:
                return None
            for child in children:
                key = id_of(child)
                if key not in found and ":" in key:
                    found[key] = None
                    frontier.append((key, *_FIRST_STAGE))
            frontier.extendleft((id_of(job), stage, cursor.decode()) for job, stage, cursor in reversed(rest))
        return list(found)[1:]

    async def _remove_all(self, below: list[str]) -> None:
        listed: dict[str, list[str]] = defaultdict(list)
        for part in _cut(reversed(below), _PART):
            removed, held, left = await self._keyspace.run(
                _REMOVE_BELOW, _packed(part), self._stays, int(self._idle_only)
            )
            self._removed += removed
            self._is_held = self._is_held or bool(held)
            for key in left:
                base, colon, job_id = id_of(key).rpartition(":")
                listed[base + colon].append(job_id)
        for base, ids in listed.items():
            await self._remove_listed(base, ids)

    async def _remove_listed(self, base: str, ids: list[str]) -> None:
        left = dict.fromkeys(ids)
        if len(left) > _FEW:
            for name in _LISTS:
                await self._remove_from(base, name, left)
        for part in _cut(left, _FEW):
            await self._run_listed(base, "", 0, part, left=None)

    async def _remove_from(self, base: str, name: str, left: dict[str, None]) -> None:
        """Go through a list from its oldest, and take out what is among ``left``."""
        skip = 0
        while left:
            window = await self._keyspace.server.call("LRANGE", base + name, -(skip + _WINDOW), -(skip + 1))
            if not window:
                return
            chosen = [id_of(each) for each in window]
            chosen = [job_id for job_id in chosen if job_id in left][:_PART]
            before = len(left)
            if chosen:
                await self._run_listed(base, name, skip, chosen, left)
            if len(chosen) < _PART:
                skip += _WINDOW - (before - len(left))
            elif before == len(left):
                skip += _WINDOW

    async def _run_listed(
        self, base: str, name: str, skip: int, ids: list[str], left: dict[str, None] | None
    ) -> None:
        gone, held = await self._keyspace.run(
            _REMOVE_LISTED, base, name, max(skip - _MARGIN, 0), _WINDOW + 2 * _MARGIN, _packed(ids), self._stays
        )
        self._removed += len(gone)
        self._is_held = self._is_held or bool(held)
        if left is not None:
            for job_id in gone:
                left.pop(id_of(job_id), None)


def _packed(keys: Iterable[str]) -> bytes:
    return _pack([packable_id(key) for key in keys])


def _cut(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(keys)
    while part := list(islice(rest, size)):
        yield part

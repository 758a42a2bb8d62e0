"""Payload versions of jobs: which of them wait for a worker that understands them, and the canary's share."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from msgspec.structs import replace

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._store.numbers import whole
from stockyard._store.scripts import load
from stockyard._store.snapshots import Canary, PayloadVersion, VersionJobs

_LOOK = load("versioning.look")
_DIVIDE = load("versioning.divide")
_COUNT = load("versioning.count")

_PART = 500
"""Jobs that one call of a count looks at, some milliseconds of the server."""

_COUNTED = {
    # Where jobs come from before where they go: what moves on is counted twice rather than not at all.
    "active": "active",
    "waiting-children": "waiting_children",
    "delayed": "delayed",
    "paused": "waiting",
    "wait": "waiting",
    "prioritized": "waiting",
}
"""A place of jobs that have not ended -> the field of ``VersionJobs``; lines of keys come before ``paused``."""

_MOVED = b"moved:"

_LOOKS = 5
"""Times that a version of which none was found is counted, while its jobs move."""


class VersionFacts(NamedTuple):
    """What is known of the versions of a queue.

    Attributes:
        versions: that were seen, in order.
        canary: which is set, or None.
        releases: the version of each release -> when a worker of it last asked for jobs, ms since the epoch.
    """

    versions: list[PayloadVersion]
    canary: Canary | None
    releases: dict[int, int]


async def read_version_facts(keyspace: QueueKeyspace) -> VersionFacts:
    """Return what is known of the versions of a queue, in one call."""
    rows, (version, share, since), releases = await keyspace.run(_LOOK, keyspace.base)
    found = [PayloadVersion(_number(version), waiting, _number(moment)) for version, waiting, moment in rows]
    return VersionFacts(
        sorted(found, key=lambda each: each.version),
        canary_of(version.decode(), share.decode(), _number(since)),
        {_number(release): _number(moment) for release, moment in releases},
    )


async def read_versions(keyspace: QueueKeyspace) -> list[PayloadVersion]:
    """Return the versions that were seen in a queue, in order."""
    return (await read_version_facts(keyspace)).versions


def canary_of(version: str, share: str, since: int = 0) -> Canary | None:
    """Return a canary by what the server keeps of it; None where there is none, or it cannot be read."""
    number = whole(version)
    try:
        part = float(share)
    except ValueError:
        return None
    return None if number is None or not 0 <= part <= 1 else Canary(number, part, since)


async def set_canary(keyspace: QueueKeyspace, canary: Canary | None) -> Canary | None:
    """Set which release runs a share of the jobs, None ends that; return what was set before."""
    given = ("", "") if canary is None else (canary.version, repr(canary.share))
    version, share = await keyspace.run(_DIVIDE, keyspace.base, *given, keyspace.clock())
    return canary_of(version.decode(), share.decode())


async def note_worker(keyspace: QueueKeyspace, release: int, versions: tuple[int, ...]) -> None:
    """Note that there is a worker of a release, as one without a free place does not ask for jobs."""
    moment, keys = keyspace.clock(), keyspace.keys
    understood = [part for version in versions for part in (version, moment)]
    await keyspace.server.ask(
        [("HSET", keys["versions"], *understood), ("HSET", keys["releases"], f"release:{release}", moment)]
    )


async def count_versions(keyspace: QueueKeyspace, most: int | None = None) -> tuple[list[VersionJobs], int]:
    """Count the jobs that have not ended by their payload version; return how many were not looked at as well.

    Args:
        keyspace: the queue.
        most: jobs to look at, about; None for all.
    """
    for _ in range(_LOOKS):
        before = await _moved(keyspace)
        counts, left_out = await _count(keyspace, most)
        after = await _moved(keyspace)
        known = {each.version for each in (await read_version_facts(keyspace)).versions}
        moving = {version for version, moment in after.items() if before.get(version) != moment}
        found = [
            replace(counts.get(version, VersionJobs(version)), moving=version in moving)
            for version in sorted(known | counts.keys() | moving)
        ]
        if left_out or not any(each.moving and not each.total for each in found):
            break
    return found, left_out


async def _count(keyspace: QueueKeyspace, most: int | None) -> tuple[dict[int, VersionJobs], int]:
    counts: dict[int, Counter[str]] = {}
    looked, total = 0, 0
    if most is not None:
        total = await _total(keyspace)
    for source, field in await _sources(keyspace):
        cursor = "0"
        while cursor and (most is None or looked < most):
            flat, following = await keyspace.run(_COUNT, keyspace.base, source, cursor, _PART)
            cursor = following.decode()
            for version, number in zip(flat[::2], flat[1::2], strict=True):
                counts.setdefault(_number(version), Counter())[field] += number
                looked += number
    found = {
        version: VersionJobs(version, of["waiting"], of["delayed"], of["active"], of["waiting_children"])
        for version, of in counts.items()
    }
    return found, max(total - looked, 0)


async def _sources(keyspace: QueueKeyspace) -> list[tuple[str, str]]:
    """Return what is counted, in order: its name for the script, and the field that it counts for."""
    found: list[tuple[str, str]] = []
    for state, field in _COUNTED.items():
        if state == "paused":
            lines = await keyspace.server.call("ZRANGE", keyspace.keys["keys_lines"], 0, -1)
            found += [(f":{name.decode(errors='surrogateescape')}", field) for name in lines]
        found.append((state, field))
    return found


async def _total(keyspace: QueueKeyspace) -> int:
    keys = keyspace.keys
    commands: list[Command] = [("LLEN", keys[each]) for each in ("active", "paused", "wait")]
    commands += [("ZCARD", keys[each]) for each in ("waiting_children", "delayed", "prioritized")]
    commands.append(("GET", keys["keys_waiting"]))
    return sum(max(whole(accepted(each)) or 0, 0) for each in await keyspace.server.ask(commands))


async def _moved(keyspace: QueueKeyspace) -> dict[int, bytes]:
    """Return when workers last moved jobs of each version."""
    fields = await keyspace.server.call("HGETALL", keyspace.keys["releases"])
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return {_number(name[len(_MOVED) :]): moment for name, moment in pairs if name.startswith(_MOVED)}


def _number(text: bytes) -> int:
    return whole(text.decode()) or 0

"""The commands of `stockyard queue` for payload versions: what is left of each, and the canary's share."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from stockyard._store.snapshots import Canary, PayloadVersion, VersionJobs
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, say, show_json, show_table, when
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption

_LEFT = 1
"""Exit status where jobs of the version that was asked for are left."""


async def versions(
    *names: str,
    drained: Annotated[
        int | None, Parameter(help="Exit with 1 while a job of this version is left, for scripts that deploy.")
    ] = None,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> int:
    """Count the jobs that have not ended by their payload version, and say who runs them.

    Args:
        names: the queues. Defaults to all that declare a version.
    """
    async with connection.open() as app:
        chosen = names or [spec.name for spec in app.topology if spec.versions]
        seen = {name: await app.queue(name).versions() for name in chosen}
        jobs = {name: await app.queue(name).count_versions() for name in chosen}
        canaries = {name: await app.queue(name).canary() for name in chosen}
    if json:
        show_json({name: _as_json(seen[name], jobs[name]) for name in chosen})
    else:
        rows = [row for name in chosen for row in _rows(name, seen[name], jobs[name])]
        columns = ("queue", "version", "waiting", "delayed", "active", "put aside", "left", "last asked for")
        show_table(columns, rows, right=columns[1:-1])
        for name, canary in canaries.items():
            if canary is not None:
                say(_in_words(name, canary))
    if drained is None:
        return 0
    left = [name for name in chosen for each in jobs[name] if each.version == drained and not each.is_drained]
    if left:
        complain(f"jobs of version {drained} are left in {', '.join(left)}")
    return _LEFT if left else 0


async def canary(
    name: str,
    version: int | None = None,
    share: str | None = None,
    /,
    *,
    clear: Annotated[bool, Parameter(help="End it: every worker runs what it understands.")] = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Give workers of a release a share of the jobs of older versions, or show what they get.

    Args:
        name: the queue.
        version: that the release declares for the queue.
        share: of the keys, or of the jobs without one, as in 5% or 0.05; 0 takes it back.
    """
    if (clear and version is not None) or (version is None) != (share is None):
        raise InvalidOption("give a version and a share, as in `stockyard queue canary orders 2 5%`, or --clear")
    async with connection.open() as app:
        queue = app.queue(name)
        if clear:
            await queue.clear_canary()
        elif version is not None and share is not None:
            await queue.set_canary(version, _share(share))
        found = await queue.canary()
    if json:
        show_json({"queue": name, "canary": found})
    else:
        say(f"{name} has no canary" if found is None else _in_words(name, found))


VERSIONS = (versions, canary)
"""In the order of help."""


def _share(text: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise InvalidOption(f"share must be a number, as in 5% or 0.05; got {text!r}") from None


def _in_words(name: str, canary: Canary) -> str:
    return f"{name}: workers of version {canary.version} run {canary.share:.4g} of the jobs of older versions"


def _rows(name: str, seen: list[PayloadVersion], jobs: list[VersionJobs]) -> list[tuple[object, ...]]:
    facts = {each.version: each for each in seen}
    rows: list[tuple[object, ...]] = []
    for each in jobs:
        known = facts.get(each.version, PayloadVersion(each.version, 0, 0))
        left = "none" if each.is_drained else "moving" if not each.total else each.total
        asked = when(known.understood_at) if known.understood_at else "never"
        rows.append((name, each.version, each.waiting, each.delayed, each.active, known.waiting, left, asked))
    return rows


def _as_json(seen: list[PayloadVersion], jobs: list[VersionJobs]) -> list[dict[str, Any]]:
    facts = {each.version: each for each in seen}
    found = []
    for each in jobs:
        known = facts.get(each.version, PayloadVersion(each.version, 0, 0))
        found.append(
            {
                "version": each.version,
                "waiting": known.waiting,
                "understood_at": known.understood_at,
                "jobs": each,
                "total": each.total,
                "drained": each.is_drained,
            }
        )
    return found

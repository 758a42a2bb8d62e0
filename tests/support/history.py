"""What producer and worker processes wrote down of a run under a fault, and what the server holds of it."""

import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stockyard._store.remains import Remains
from stockyard.testing.judgement import ENDED, Note

if TYPE_CHECKING:
    # Not by the processes that write a diary: it would be half of their start.
    import redis

_LISTS = ("wait", "active", "paused")
_SORTED = ("delayed", "prioritized", "waiting-children")


def diary_of(folder: Path, player: str) -> Path:
    """Return the file of a player's diary."""
    return folder / f"{player}.diary"


class Diary:
    """Lines at the end of a file; each has reached the system when `write` returns: no SIGKILL loses it."""

    def __init__(self, folder: Path, player: str) -> None:
        self._file = os.open(diary_of(folder, player), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, what: str, key: str, job_id: str = "", run: int = 0, result: str = "") -> None:
        os.write(self._file, (json.dumps([time.time(), what, key, job_id, run, result]) + "\n").encode())


def whole_lines(file: Path) -> list[bytes]:
    """Return the lines of a file that another process writes, without a last one that is not finished yet."""
    # A write that spans two pages of the file is seen in two steps.
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def drop_unfinished_line(file: Path) -> None:
    """Cut off what a player wrote of a line when it was killed: it never acted on it, and another writes on."""
    if file.exists():
        file.write_bytes(b"".join(whole_lines(file)))


def read_diaries(folder: Path) -> list[Note]:
    """Return everybody's notes in the order of time."""
    return sorted(note for file in folder.glob("*.diary") for note in read_diary(file))


def read_diary(file: Path) -> list[Note]:
    """Return a player's notes; none where it has not begun yet."""
    if not file.exists():
        return []
    return [Note(*json.loads(line))._replace(player=file.stem) for line in whole_lines(file)]


def read_remains(client: "redis.Redis", base: str) -> Remains:
    """Look at every job of the queue whose keys begin with `base`; the client decodes answers."""
    redis_: Any = client
    ended = {each: kind for kind in ENDED for each in redis_.zrange(base + kind, 0, -1)}
    unended = {each: kind for kind in _LISTS for each in redis_.lrange(base + kind, 0, -1)}
    unended |= {each: kind for kind in _SORTED for each in redis_.zrange(base + kind, 0, -1)}
    with redis_.pipeline(transaction=False) as pipe:
        ids = [*ended, *unended]
        for each in ids:
            pipe.hget(base + each, "data")
        payloads = pipe.execute()
    records = defaultdict(list)
    for job_id, payload in zip(ids, payloads, strict=True):
        records[json.loads(payload)["key"] if payload else f"no record of {job_id}"].append(job_id)
    stalls, announced = defaultdict(list), Counter[str]()
    for event_id, fields in redis_.xrange(base + "events"):
        if fields["event"] == "stalled":
            stalls[fields["jobId"]].append(int(event_id.split("-")[0]) / 1000)
        elif fields["event"] in ENDED:
            announced[fields["jobId"]] += 1
    locks = [key.removeprefix(base).removesuffix(":lock") for key in redis_.scan_iter(f"{base}*:lock", count=1000)]
    return Remains(dict(records), ended, unended, locks, dict(stalls), announced)

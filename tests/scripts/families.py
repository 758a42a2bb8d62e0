"""Jobs with ties in two queues: ``q``, the one under test, and ``k``, whose jobs are named ``k/<id>``."""

from typing import Any

import redis

from tests.scripts.conftest import Keyspace, record


class Families:
    """Writes jobs and tells what is left of both queues.

    Args:
        raw: the server.
        prefix: of the keys.
    """

    def __init__(self, raw: "redis.Redis", prefix: str) -> None:
        self._bases = {"q": f"{prefix}:q:", "k": f"{prefix}:k:"}
        self._spaces = {name: Keyspace(raw, base) for name, base in self._bases.items()}

    def key(self, name: str) -> str:
        """The full key of a job."""
        queue, job_id = _place(name)
        return self._bases[queue] + job_id

    def add(self, name: str, parent: str | None = None, *, place: dict[str, Any], **fields: Any) -> None:
        """Add a job at a place, and to what its parent waits for."""
        queue, job_id = _place(name)
        if parent:
            of, parent_id = _place(parent)
            fields["parentKey"] = self.key(parent)
            fields["parent"] = f'{{"id":"{parent_id}","queueKey":"{self._bases[of][:-1]}"}}'
            self._spaces[of].put({f"{parent_id}:dependencies": {self.key(name)}})
        self._spaces[queue].put({job_id: record(**fields), **place})

    def put(self, name: str, value: Any) -> None:
        """Write one key of the queue that the name is of."""
        queue, key = _place(name)
        self._spaces[queue].put({key: value})

    def get(self, name: str) -> Any:
        """One key."""
        queue, key = _place(name)
        return self._spaces[queue].get(key)

    def left(self) -> dict[str, Any]:
        """Every key of both queues but the event streams."""
        found = {f"k/{name}": value for name, value in self._spaces["k"].all().items()} | self._spaces["q"].all()
        return {name: value for name, value in found.items() if not name.endswith("events")}


def _place(name: str) -> tuple[str, str]:
    return ("k", name[2:]) if name.startswith("k/") else ("q", name)

"""Effects as the scripts' tests begin and write them."""

from typing import Any

import msgspec

from stockyard._store import effects as store
from stockyard._store.effects import Begun, Intent, Settlement
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.effect_port import EffectReport
from stockyard.model.effect_record import EffectRecord
from tests.scripts.conftest import NOW, Keyspace, record

DEADLINE = NOW + 800


def locked(*, starts: int = 1, effect: str | None = None) -> dict[str, Any]:
    """Keys of job 7, which a worker runs; ``effect`` is the one that it has begun."""
    begun = {} if effect is None else {"stockyard.effect": effect}
    return {"7": record(ats=starts, pb="w", **begun), "7:lock": "w:1"}


def stored(keys: Keyspace, key: str = "k") -> dict[str, str] | None:
    """The fields of an effect, of whichever form it has; it has one."""
    own: dict[str, str] | None = keys.get(f":effect:{key}")
    text = (keys.get(":effects:compact") or {}).get(key)
    assert own is None or text is None
    if text is None:
        return own
    pairs = [each.decode() for each in store._pairs_of(key.encode(), text.encode())]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def effects_in(keys: Keyspace) -> set[str]:
    """The keys of the effects that there are."""
    own = {name.removeprefix(":effect:") for name in keys.names() if name.startswith(":effect:")}
    return own | set(keys.get(":effects:compact") or {})


def forget(keys: Keyspace) -> None:
    """Lose effect k."""
    keys.delete(":effect:k")
    keys.delete(":effects:compact")


def intent(nonce: str = "n1", *, job_id: str = "7", starts: int = 1, key: str = "k", **fields: Any) -> Intent:
    """What a run is about to do."""
    given = {"attempt": "1", "payload": "p", "most": 800, "least": 50, **fields}
    return Intent(job_id=job_id, starts=str(starts), key=key, nonce=nonce, **given)


async def begin(keyspace: QueueKeyspace, nonce: str = "n1", **fields: Any) -> Begun:
    """Begin an effect; what comes of it has the record as it stands then, also if it was begun."""
    asked = intent(nonce, **fields)
    (begun,) = await store.begin(keyspace, [asked])
    stands = await store.read(keyspace, asked.key)
    if begun.code == 0:
        assert stands is not None
        assert (begun.started_on, begun.deadline, begun.fence) == (
            stands.started_on,
            stands.deadline,
            stands.fence,
        )
        return msgspec.structs.replace(begun, record=stands)
    assert begun.record == stands
    return begun


def reported(
    outcome: str, nonce: str = "n1", *, key: str = "k", value: str = "", reason: str = "", fence: int = 1
) -> EffectReport:
    """How a run says that its effect ended."""
    return EffectReport(key, nonce, fence, outcome, value, reason)


async def report(keyspace: QueueKeyspace, outcome: str, nonce: str = "n1", **fields: Any) -> EffectRecord:
    """Report an effect; return its record as it stands then."""
    (stands,) = await store.report(keyspace, [reported(outcome, nonce, **fields)])
    record = await store.read(keyspace, "k")
    assert record is not None
    assert record.outcome == stands
    return record


async def settle(keyspace: QueueKeyspace, outcome: str, **fields: Any) -> tuple[int, EffectRecord | None]:
    return await store.settle(keyspace, "k", Settlement(outcome=outcome, **{"by": "reconciler", **fields}))

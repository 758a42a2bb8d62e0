"""The fields of records: of a job, in the order in which scripts return them, and of a queue's ``meta``."""

from __future__ import annotations

STARTED = (
    "name data opts timestamp priority delay atm ats stc progress failedReason stacktrace parentKey defa"
).split()
"""Of a job that is started; its id follows."""

STORED = [*STARTED, "returnvalue", "processedOn", "finishedOn", "pb"]
"""Of a job in any state; its id follows."""

MAX_EVENTS = "opts.maxLenEvents"
"""Of ``meta``: about so many entries of the event stream are kept."""

BEGUN_EFFECT = "stockyard.effect"
"""Of a job that may expire, or runs at most once: the effect that it has begun last."""

SHARDS = "stockyard.shards."
"""Of ``meta`` of the first shard: begins a field for each number of shards that a program declares."""

PLACES = {
    "NAME_AT": STORED.index("name") + 1,
    "DATA_AT": STORED.index("data") + 1,
    "STARTS_AT": STORED.index("ats") + 1,
    "PROGRESS_AT": STORED.index("progress") + 1,
    "STACKTRACE_AT": STORED.index("stacktrace") + 1,
    "DEFERRED_AT": STORED.index("defa") + 1,
    "RESULT_AT": STORED.index("returnvalue") + 1,
    "STARTED_ID_AT": len(STARTED) + 1,
    "STORED_ID_AT": len(STORED) + 1,
}
"""Name in scripts -> place in a row, as Lua counts."""

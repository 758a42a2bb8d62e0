"""The records have the fields that scripts return, in their order."""

from stockyard._store.records import StartedRecord, StoredRecord
from stockyard._wire.fields import PLACES, STARTED, STORED

NAMES = {
    "opts": "options",
    "atm": "attempts_made",
    "ats": "starts",
    "stc": "stalls",
    "failedReason": "failed_reason",
    "parentKey": "parent_key",
    "defa": "deferred_failure",
    "returnvalue": "result",
    "processedOn": "started",
    "finishedOn": "ended",
    "pb": "worker",
}


def test_a_record_s_fields_are_those_that_are_read() -> None:
    assert [NAMES.get(field, field) for field in STARTED] == list(StartedRecord._fields[:-1])
    assert [NAMES.get(field, field) for field in STORED] == list(StoredRecord._fields[:-1])
    assert (
        StartedRecord._fields[PLACES["STARTED_ID_AT"] - 1]
        == StoredRecord._fields[PLACES["STORED_ID_AT"] - 1]
        == "raw_id"
    )


def test_a_started_record_tells_runs_of_schedules_from_other_jobs() -> None:
    fields = dict.fromkeys(StartedRecord._fields) | {"starts": b"3", "raw_id": b"repeat:s:5"}
    run = StartedRecord(**fields)  # type: ignore[arg-type]
    assert (run.id, run.start_number, run.is_schedule_run) == ("repeat:s:5", 3, True)
    assert not run._replace(raw_id=b"5").is_schedule_run
    assert (run._replace(raw_id=b"\xff").id, run._replace(raw_id=b"\xff").shown_id) == ("\udcff", "\ufffd")

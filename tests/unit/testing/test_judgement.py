"""The checker of histories finds what it is there to find."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stockyard._store.remains import Remains
from stockyard.testing.judgement import Faults, HistoryReport, Note, judge
from tests.support.history import Diary, diary_of, drop_unfinished_line, read_diaries

FAULTS = Faults([(10.0, 11.0)], until=20.0)
SOUND = Remains(
    records={"a": ["1"], "b": ["2"]},
    ended={"1": "completed", "2": "completed"},
    unended={},
    locks=[],
    stalls={},
    announced=Counter({"1": 1, "2": 1}),
)
NOTES = [
    Note(8.0, "ack", "a", "1", player="p"),
    Note(8.1, "ack", "b", "2", player="p"),
    Note(9.0, "start", "a", "1", 1, player="w"),
    Note(9.5, "end", "a", "1", 1, "completed", player="w"),
    Note(12.0, "start", "b", "2", 1, player="w"),
    Note(12.5, "end", "b", "2", 1, "completed", player="w"),
]


def verdict(notes: list[Note] = NOTES, remains: Remains = SOUND, faults: Faults = FAULTS) -> HistoryReport:
    return judge(sorted(notes), remains, faults, workers=["w"], peers=["n"])


def run(key: str, job_id: str, at: float, number: int, result: str = "completed", player: str = "w") -> list[Note]:
    return [
        Note(at, "start", key, job_id, number, player=player),
        Note(at + 0.1, "end", key, job_id, number, result, player=player),
    ]


def test_a_sound_history_has_no_problem() -> None:
    found = verdict()
    assert found.problems == []
    assert (found.acknowledged, found.lost, found.doubled, found.unsure) == (2, 0, 0, 0)


def test_the_gap_is_the_longest_pause_of_a_worker_from_the_fault_on() -> None:
    found = verdict()
    assert found.gap == 7.5
    assert verdict(faults=FAULTS._replace(until=13.0)).gap == 3.0
    assert found.resumed == 1.5


def test_a_worker_that_does_not_go_on_is_named() -> None:
    assert verdict(NOTES[:-1]).problems == [
        "job b is completed, and nobody ended it so",
        "w did not go on after the fault",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"records": {"b": ["2"]}}, "job a was acknowledged and is lost"),
        ({"records": {"a": ["1", "3"], "b": ["2"]}}, "job a was added 2 times"),
        ({"unended": {"2": "active"}}, "job 2 is left in active"),
        ({"locks": ["2"]}, "job 2 is left locked"),
        ({"ended": {"1": "failed", "2": "completed"}}, "job a is failed, and nobody ended it so"),
        ({"announced": Counter({"1": 2, "2": 1})}, "the end of job a was announced 2 times"),
        ({"records": {**SOUND.records, "c": ["3"]}}, "job c was never added"),
    ],
)
def test_a_server_that_disagrees_is_a_problem(change: dict[str, object], problem: str) -> None:
    assert verdict(remains=replace(SOUND, **change)).problems == [problem]  # type: ignore[arg-type]


def test_a_refused_add_must_not_be_there_and_an_unsure_one_may() -> None:
    refused = [note._replace(what="refused") if note.what == "ack" and note.key == "a" else note for note in NOTES]
    assert verdict(refused).problems == ["job a was refused and is there"]
    unsure = [note._replace(what="unsure") if note.what == "ack" and note.key == "a" else note for note in NOTES]
    found = verdict(unsure)
    assert (found.problems, found.acknowledged, found.unsure, found.unsure_added) == ([], 1, 1, 1)


def test_a_second_run_needs_a_stall_before_it() -> None:
    twice = [*NOTES, *run("a", "1", 12.0, 2)]
    assert verdict(twice).problems == [
        "job a ran to its end 2 times, handed back 0 times",
        "job a was started 2 times, retried 0 and handed back 0 times",
    ]
    assert verdict(twice, replace(SOUND, stalls={"1": [13.0]})).problems != []
    found = verdict(twice, replace(SOUND, stalls={"1": [11.0]}))
    assert (found.problems, found.doubled, found.doubled_by_peers) == ([], 1, 0)


def test_a_second_start_needs_a_stall_or_a_retry_before_it() -> None:
    lone = Note(8.5, "start", "a", "1", 1, player="w")
    assert verdict([lone, *NOTES]).problems == ["job a was started 2 times, retried 0 and handed back 0 times"]
    assert verdict([*run("a", "1", 8.5, 1, "again"), *NOTES]).problems == []


def test_runs_of_peers_that_were_not_recorded_are_counted_apart() -> None:
    notes = [*run("a", "1", 8.5, 1, player="n"), *NOTES]
    found = verdict(notes, replace(SOUND, stalls={"1": [8.9]}))
    assert (found.problems, found.doubled, found.doubled_by_peers) == ([], 0, 1)


def test_what_the_server_may_forget_is_counted_and_no_problem() -> None:
    remains = replace(SOUND, records={"b": ["2"]}, ended={"2": "completed"}, announced=Counter({"2": 1}))
    assert verdict(remains=remains, faults=FAULTS._replace(forgets=1.0)).problems != []
    found = verdict(remains=remains, faults=FAULTS._replace(forgets=2.0))
    assert (found.problems, found.lost) == ([], 1)


def test_a_job_that_was_said_to_be_durable_must_not_be_forgotten() -> None:
    remains = replace(SOUND, records={"b": ["2"]}, ended={"2": "completed"}, announced=Counter({"2": 1}))
    found = verdict(remains=remains, faults=FAULTS._replace(forgets=2.0, keeps_jobs=True))
    assert (found.problems, found.lost) == (["job a was acknowledged and is lost"], 1)
    # The end of its run may be.
    notes = [*NOTES, *run("a", "1", 12.0, 2)]
    assert verdict(notes, faults=FAULTS._replace(forgets=2.0, keeps_jobs=True)).problems == []


def test_a_line_that_is_not_finished_yet_is_not_read(tmp_path: Path) -> None:
    Diary(tmp_path, "w").write("start", "a", "1", 1)
    with diary_of(tmp_path, "w").open("ab") as diary:
        diary.write(b'[9.5, "e')
    assert [note.what for note in read_diaries(tmp_path)] == ["start"]
    drop_unfinished_line(diary_of(tmp_path, "w"))
    Diary(tmp_path, "w").write("end", "a", "1", 1, "completed")
    assert [note.what for note in read_diaries(tmp_path)] == ["start", "end"]

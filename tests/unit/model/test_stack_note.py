"""A note on a stuck job is read from its log as it was written, and no other line is one."""

import pytest

from stockyard.model.stack_note import StackNote, latest_note

NOTE = StackNote(2, "it has run for 61 s: longer than usual", '  File "a.py", line 3, in work\n    wait()')


def test_a_note_is_read_as_it_was_written() -> None:
    assert StackNote.read(NOTE.line()) == NOTE
    assert StackNote.read(NOTE._replace(stack="").line()) == NOTE._replace(stack="")


@pytest.mark.parametrize(
    "line", ["", "stuck", "stuck in attempt : x", "stuck in attempt 1", "stuck in attempt -1: x", "at good"]
)
def test_another_line_is_no_note(line: str) -> None:
    assert StackNote.read(line) is None


def test_the_last_note_on_an_attempt_counts() -> None:
    later = NOTE._replace(reason="it has blocked the event loop")
    log = ["begins", NOTE._replace(attempt=1).line(), NOTE.line(), later.line(), "goes on"]
    assert latest_note(log, 2) == later
    assert latest_note(log, 3) is None

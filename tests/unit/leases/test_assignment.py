"""The messages between a worker and its lease process."""

import io
import os

import pytest

from stockyard._store.composed_script import ComposedScript
from stockyard.config import Address
from stockyard.leases.assignment import READY, Assignment, MessageWriter, framed, messages
from stockyard.model.naming import Naming

ASSIGNMENT = Assignment(
    Address(
        *("rediss+sentinel", "høst", 1234, None, "me", 'p"\n§', 7, {"ca": "/tmp/ca.crt"}),
        *((("a", 1), ("b", 2)), "primary", "you", "s3cret"),
    ),
    Naming("büll", "family"),
    ComposedScript("abc", "return 1 -- ©", ("active", "stalled"), reads_only=False),
    9,
    is_replacement=True,
)


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_an_assignment_is_read_as_it_was_written(piece: int) -> None:
    pipe = io.BytesIO(ASSIGNMENT.packed() + b"!")
    assert Assignment.read(lambda size: pipe.read(min(size, piece))) == ASSIGNMENT
    assert pipe.read() == b"!"


def test_a_parent_that_ends_in_the_middle_is_noticed() -> None:
    pipe = io.BytesIO(ASSIGNMENT.packed()[:-1])
    with pytest.raises(EOFError, match="the parent ended"):
        Assignment.read(pipe.read)


@pytest.mark.parametrize("piece", [1, 3, 100])
def test_messages_come_whole_and_in_order(piece: int) -> None:
    sent = framed(READY) + framed(b"") + framed(b"a\nb")
    received = bytearray()
    seen: list[bytes] = []
    for at in range(0, len(sent), piece):
        received += sent[at : at + piece]
        seen += messages(received)
    assert seen == [READY, b"", b"a\nb"]
    assert not received


def test_a_reader_that_is_away_holds_up_nobody_and_misses_nothing() -> None:
    end, start = os.pipe()
    writer = MessageWriter(start)
    sent = [f"{number}".encode() * 50 for number in range(3_000)]
    for message in sent:
        writer.write(message)
    assert writer.is_behind
    received = bytearray()
    seen: list[bytes] = []
    while len(seen) < len(sent):
        received += os.read(end, 4096)
        seen += messages(received)
        writer.flush()
    assert seen == sent
    assert not writer.is_behind
    os.close(end)
    os.close(start)

"""Queues are left alone for a while, longer with each failure, until a job is relayed."""

from stockyard.outbox.pauses import FIRST, LONGEST, QueuePauses


def test_pauses_grow_until_a_job_is_relayed() -> None:
    pauses = QueuePauses()
    assert (pauses.at(0), pauses.next_end(0), pauses.reason) == (frozenset(), None, None)
    now, lengths = 0.0, []
    for _ in range(8):
        pauses.add("orders", "it is full", now)
        left = pauses.next_end(now)
        assert left is not None
        lengths.append(left)
        now += left
    assert lengths == [FIRST * 2**each for each in range(6)] + [LONGEST, LONGEST]
    assert pauses.at(now) == frozenset()
    assert pauses.reason == "it is full"
    pauses.clear("orders")
    pauses.clear("orders")
    assert pauses.reason is None
    pauses.add("orders", "again", 0)
    assert pauses.next_end(0) == FIRST


def test_a_pause_that_passes_by_itself_does_not_grow() -> None:
    pauses = QueuePauses()
    for _ in range(3):
        pauses.add("orders", "busy", 0, grows=False)
    assert pauses.next_end(0) == FIRST


def test_queues_have_pauses_of_their_own() -> None:
    pauses = QueuePauses()
    pauses.add("orders", "one", 0)
    pauses.add("mail", "two", FIRST / 2)
    assert pauses.at(FIRST / 2) == {"orders", "mail"}
    assert pauses.at(FIRST) == {"mail"}
    assert pauses.next_end(FIRST) == FIRST / 2
    assert pauses.reason == "one; two"


def test_what_nothing_waits_for_is_forgotten() -> None:
    pauses = QueuePauses()
    pauses.add("orders", "one", 0)
    pauses.add("mail", "two", 0)
    pauses.retain({"mail", "ledger"})
    assert pauses.reason == "two"

"""effects.settle: what the venue, its stream or a person says, once and audited."""

from collections.abc import Callable

import pytest

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.effects import begin, forget, locked, report, settle

LATER = NOW + 1_000


@pytest.fixture
def later(keyspace_at: Callable[[int], QueueKeyspace]) -> QueueKeyspace:
    """After the deadline."""
    return keyspace_at(LATER)


@pytest.fixture(autouse=True)
async def begun(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    await begin(keyspace)


@pytest.mark.parametrize(("outcome", "may_have_applied"), [("committed", False), ("failed", False)])
async def test_it_is_settled_and_audited(
    later: QueueKeyspace, keys: Keyspace, outcome: str, may_have_applied: bool
) -> None:
    code, record = await settle(later, outcome, by="person (ada)", note="asked the desk")
    assert code == 0
    assert record is not None
    assert (record.outcome, record.resolved_by, record.note) == (outcome, "person (ada)", "asked the desk")
    assert record.may_have_applied == may_have_applied
    assert keys.get(":effects:settled") == Sorted({"k": LATER})
    assert keys.get(":effects:audit") == [["k", "open", outcome, "person (ada)", "asked the desk"]]


async def test_what_is_settled_is_announced_where_it_was_unknown(later: QueueKeyspace, keys: Keyspace) -> None:
    await report(later, "unknown")
    await settle(later, "committed")
    assert keys.get("events") == [["effect", "7", "k", "unknown"], ["effect", "7", "k", "committed"]]


async def test_to_say_it_twice_changes_nothing(later: QueueKeyspace, keys: Keyspace) -> None:
    await settle(later, "committed", value="1")
    before = keys.all()
    code, record = await settle(later, "committed", value="2", by="stream")
    assert code == 0
    assert record is not None
    assert (record.value, record.resolved_by) == (1, "reconciler")
    assert keys.all() == before


async def test_what_was_applied_cannot_be_said_not_to_be(later: QueueKeyspace, keys: Keyspace) -> None:
    await settle(later, "committed")
    before = keys.all()
    assert (await settle(later, "failed"))[0] == ReplyCode.EFFECT_SETTLED
    assert (await settle(later, "unknown"))[0] == ReplyCode.EFFECT_SETTLED
    assert keys.all() == before


async def test_what_failed_may_turn_out_to_be_applied(later: QueueKeyspace) -> None:
    await settle(later, "failed")
    code, record = await settle(later, "committed", by="stream")
    assert code == 0
    assert record is not None
    assert record.outcome == "committed"


async def test_a_run_that_may_be_at_it_is_waited_for_but_by_a_stream(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    before = keys.all()
    for outcome in ("committed", "failed", "unknown"):
        assert (await settle(keyspace, outcome))[0] == ReplyCode.EFFECT_OPEN
    assert keys.all() == before
    code, record = await settle(keyspace, "committed", by="stream", waits=False)
    assert code == 0
    assert record is not None
    assert record.outcome == "committed"


async def test_an_answer_about_an_earlier_attempt_settles_nothing(later: QueueKeyspace, keys: Keyspace) -> None:
    await begin(later, "n2", fence="1", outcome="open")
    before = keys.all()
    assert (await settle(later, "failed", fence="1", waits=False))[0] == ReplyCode.EFFECT_SETTLED
    assert keys.all() == before
    assert (await settle(later, "failed", fence="2", waits=False))[0] == 0


async def test_a_question_in_vain_is_counted(later: QueueKeyspace, keys: Keyspace) -> None:
    for times in (1, 2):
        code, record = await settle(later, "unknown", asked_at=LATER - 70)
        assert code == 0
        assert record is not None
        assert (record.outcome, record.asked_on, record.times_asked) == ("unknown", LATER - 70, times)
    assert keys.get(":effects:unknown") == Sorted({"k": LATER})
    assert keys.get(":effects:audit") is None


async def test_what_nobody_knows_is_unknown_without_a_question(later: QueueKeyspace, keys: Keyspace) -> None:
    code, record = await settle(later, "unknown", by="gate", reason="no word")
    assert code == 0
    assert record is not None
    assert (record.outcome, record.reason, record.asked_on, record.times_asked) == ("unknown", "no word", None, 0)


async def test_what_does_not_exist_is_not_settled(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    forget(keys)
    before = keys.all()
    assert await settle(keyspace, "committed") == (ReplyCode.EFFECT_MISSING, None)
    assert keys.all() == before

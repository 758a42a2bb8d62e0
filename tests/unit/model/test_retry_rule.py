"""Which exceptions are retried, by class, also when only their names came from a child process."""

from typing import Any

import pytest

from stockyard import InvalidOption, Router, Topology
from stockyard.errors import RemoteHandlerError
from stockyard.model.retry_rule import RetryRule, lineage_of


class Refused(ConnectionError):
    """An error of a program's own."""


def remote(error: BaseException) -> RemoteHandlerError:
    return RemoteHandlerError("", type_name="x", traceback="", lineage=lineage_of(error))


@pytest.mark.parametrize("wrap", [lambda error: error, remote])
@pytest.mark.parametrize(
    ("options", "allowed", "refused"),
    [
        ({"autoretry_for": ConnectionError}, [ConnectionError(), Refused()], [ValueError(), OSError()]),
        ({"autoretry_for": [OSError, KeyError]}, [Refused(), KeyError()], [ValueError()]),
        ({"autoretry_for": ()}, [], [ValueError()]),
        ({"dont_retry_on": ValueError}, [KeyError()], [ValueError(), UnicodeError()]),
        ({"autoretry_for": OSError, "dont_retry_on": (Refused,)}, [ConnectionError()], [Refused(), KeyError()]),
    ],
)
def test_classes_and_their_subclasses(wrap: Any, options: Any, allowed: Any, refused: Any) -> None:
    rule = RetryRule.of(**options)
    assert rule is not None
    assert [rule.allows(wrap(error)) for error in allowed] == [True] * len(allowed)
    assert [rule.allows(wrap(error)) for error in refused] == [False] * len(refused)


@pytest.mark.parametrize("wrong", ["ValueError", int, [ValueError()], 5])
@pytest.mark.parametrize("option", ["autoretry_for", "dont_retry_on"])
def test_only_exception_classes_are_taken(option: str, wrong: Any) -> None:
    with pytest.raises(InvalidOption, match=f"{option} must be exception classes"):
        RetryRule.of(**{option: wrong})
    with pytest.raises(InvalidOption, match=option):
        Topology("t").queue("q", **{option: wrong})
    options: Any = {option: wrong}
    with pytest.raises(InvalidOption, match=option):
        Router().handler("x", **options)


def test_a_handler_s_own_go_before_its_queue_s() -> None:
    queue = Topology("t").queue("q", autoretry_for=OSError, dont_retry_on=ConnectionError)

    @queue.handler(autoretry_for=ValueError)
    def own(job: Any) -> None: ...

    @queue.handler
    def inherited(job: Any) -> None: ...

    found = {name: handler.retries for name in ("own", "inherited") if (handler := queue.router.get(name))}
    assert found == {
        "own": RetryRule((ValueError,), (ConnectionError,)),
        "inherited": RetryRule((OSError,), (ConnectionError,)),
    }
    assert Topology("t").queue("q").retries is None

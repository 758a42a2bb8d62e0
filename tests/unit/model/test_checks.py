"""The checks of arguments: what fits is returned, and a refusal says what was expected, what came, what to do."""

from datetime import timedelta
from typing import Any

import pytest

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.checks import named_arguments


def test_what_fits_is_returned() -> None:
    assert checks.whole("n", 0) == 0
    assert checks.whole("n", 7, least=7, most=7) == 7
    assert checks.number("n", 0.25, least=0, below=1) == 0.25
    assert checks.number("n", 1, least=0, most=1) == 1.0
    assert checks.positive_ms("t", "1ms") == 1
    assert checks.positive_ms("t", timedelta(seconds=2), least=2000) == 2000
    assert checks.flag("f", True)
    assert checks.one_of("c", "b", ("a", "b")) == "b"
    assert checks.function("f", print) is print
    assert checks.text("t", "é", longest=1) == "é"
    assert checks.line("t", "") == ""
    assert checks.stream_id("after", "17-0", of="a message") == "17-0"
    assert checks.several("t", iter([1, 2]), of="numbers") == (1, 2)
    checks.refuse_unknown({"a": 1}, ("a", "b"))


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, -1])
def test_a_whole_number_is_no_flag_and_no_text(value: Any) -> None:
    with pytest.raises(InvalidOption, match="n must be a whole number, 0 or more; got "):
        checks.whole("n", value)


@pytest.mark.parametrize("value", [True, "1", None, -0.1, float("nan"), 1])
def test_a_number_is_within_its_range(value: Any) -> None:
    with pytest.raises(InvalidOption, match="n must be a number from 0 to below 1; got "):
        checks.number("n", value, least=0, below=1)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: checks.whole("n", 0, least=1), "n must be a whole number, 1 or more; got 0"),
        (lambda: checks.whole("n", 9, most=8), "n must be a whole number from 0 to 8; got 9"),
        (lambda: checks.whole("n", 0, least=1, hint="or None"), "got 0: or None"),
        (lambda: checks.number("n", 2, least=0, most=1), "n must be a number from 0 to 1; got 2"),
        (lambda: checks.number("n", -1, least=0), "n must be a number of 0 or more; got -1"),
        (lambda: checks.positive_ms("t", 0), "t must be 1 ms or longer; got 0"),
        (
            lambda: checks.positive_ms("t", "9ms", least=10, hint="wait"),
            "t must be 10 ms or longer; got '9ms': wait",
        ),
        (lambda: checks.positive_ms("t", "soon"), "t must be a duration"),
        (lambda: checks.flag("f", 1), "f must be True or False; got 1"),
        (lambda: checks.one_of("c", "x", ("a", "b")), "c must be one of 'a', 'b'; got 'x'"),
        (lambda: checks.function("f", 5), "f must be a function; got 5"),
        (lambda: checks.text("t", ""), "t must be non-empty text; got ''"),
        (
            lambda: checks.text("t", "abc", longest=2),
            "non-empty text of at most 2 characters; got 'abc'",
        ),
        (lambda: checks.text("t", "\ud800"), r"t must be non-empty text without lone surrogates.*'\\ud800'"),
        (lambda: checks.line("t", 5), "t must be text; got 5"),
        (lambda: checks.stream_id("after", "x", of="an event"), "after must be the id of an event, or '0-0'"),
        (lambda: checks.several("t", 5, of="ids"), "t must be a list of ids; got 5"),  # type: ignore[arg-type]
        (lambda: checks.several("t", "a", of="ids"), r"t must be a list of ids; got 'a': write \['a'\]"),
        (
            lambda: checks.refuse_unknown(["dely"], ["delay"]),
            r"unknown option 'dely'; did you mean 'delay'\? Known",
        ),
        (lambda: checks.refuse_unknown(["x"], ["a"], what="hook", of="y"), r"unknown hook 'x' of y\. Known: a"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(check: Any, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        check()


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(checks.shown("x" * 500)) == 81


def test_a_class_names_the_argument_that_it_was_not_made_for() -> None:
    @named_arguments("colour")
    class Paint:
        def __init__(self, name: str, *, red: int = 0) -> None:
            self.red = red

    assert Paint("a", red=1).red == 1
    with pytest.raises(InvalidOption, match="unknown colour 'rad'; did you mean 'red'"):
        Paint("a", rad=1)  # type: ignore[call-arg]

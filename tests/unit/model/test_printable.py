"""Foreign text in a terminal, a log or a message: nothing in it acts, and it stays in its line."""

import json
import sys
import unicodedata

import pytest

from stockyard.model.printable import LATEST, printable, printable_json, printable_lines, readable_time

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


def test_of_all_characters_only_those_are_left_that_show_themselves() -> None:
    shown = set(printable(EVERYTHING))
    assert {unicodedata.category(each)[0] for each in shown} <= {"L", "M", "N", "P", "S", "Z"}
    assert not shown & {"\u2028", "\u2029", "\n", "\r", "\t", "\x1b", "\x9b", "\x7f", "\u202e", "\ud800"}
    assert {"a", "é", "漢", "\u3000", "\xa0", "🙂"} <= shown


def test_escapes_say_what_was_there() -> None:
    assert printable("a\x1b[31mb\n\u202e\ud800") == r"a\x1b[31mb\n\u202e\ud800"


def test_lines_are_kept_and_indented() -> None:
    assert printable_lines("one\n2026 ERROR\n\n  two\tx\x07") == "one\n  2026 ERROR\n\n  two\tx\\x07"


def test_json_stays_the_same_document() -> None:
    text = EVERYTHING.replace("\ud800", "")
    document = json.dumps({text[:300]: ["\x9b", "\u202e", "\U000e0001"]}, ensure_ascii=False, indent=2)
    shown = printable_json(document)
    assert json.loads(shown) == json.loads(document)
    assert all(line.isprintable() for line in shown.replace("\xa0", "").split("\n"))


@pytest.mark.parametrize("moment", [-1, -(10**18), LATEST + 1, 10**400, float("nan"), float("inf")])
def test_a_number_that_is_no_time_is_shown_as_it_is(moment: float) -> None:
    assert readable_time(moment).startswith("no time (")


def test_a_time_is_shown_in_utc() -> None:
    assert readable_time(0) == "1970-01-01 00:00:00+00:00"
    assert readable_time(1_700_000_000_123, timespec="milliseconds", zone="Z") == "2023-11-14 22:13:20.123Z"

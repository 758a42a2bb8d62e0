"""What a declaration may choose of a script: parts, and the lines that use them."""

import pytest

from stockyard._store.composing import ScriptError
from stockyard._store.scripts import load, names


def test_a_script_has_what_was_chosen_and_no_more() -> None:
    texts = {name: load(name).text for name in names() if load(name).plain_name == "arranging.add"}
    names_of_choices = {name.partition("+")[2] for name in texts}
    several = {"coalescing", "bounded", "aging", "coalescing+bounded", "coalescing+aging", "bounded+aging"}
    assert names_of_choices == {"", *several, "coalescing+bounded+aging", "keyed", "keyed+aging"}
    for name, text in texts.items():
        assert ("local function coalesce_job(" in text) == ("+coalescing" in name)
        assert ("local function bound(" in text) == ("+bounded" in name)
        assert ("local function line_up(" in text) == ("+keyed" in name)
        assert "-- only" not in text


def test_choices_come_in_their_order() -> None:
    known = "its choices are coalescing, bounded, aging or keyed, aging, in this order"
    with pytest.raises(ScriptError, match=known):
        assert load("arranging.add+bounded+coalescing").body
    with pytest.raises(ScriptError, match="its choices are"):
        assert load("arranging.add+rate").body


def test_what_a_bar_separates_is_never_chosen_together() -> None:
    with pytest.raises(ScriptError, match="its choices are coalescing, bounded, aging or keyed"):
        assert load("arranging.add+bounded+keyed").body

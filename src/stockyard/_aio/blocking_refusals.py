"""Why a blocking call cannot be made, or was broken off: its App closes, or the interpreter ends."""

from __future__ import annotations

from stockyard.errors import BlockingCallRefused


def cut_off() -> BlockingCallRefused:
    """Return what a blocking call raises that the close of its App broke off."""
    return BlockingCallRefused(
        "the app was closed while this blocking call was under way; it may or may not have happened"
    )


def closed_before() -> BlockingCallRefused:
    """Return what a blocking call raises that began while its App closed."""
    return BlockingCallRefused("the app was closed when this blocking call began; nothing happened")


def shut_down() -> BlockingCallRefused:
    """Return what a blocking call raises when the interpreter ends."""
    return BlockingCallRefused(
        "the interpreter shuts down, and the thread that blocking calls (.sync) need does not run any more: make "
        "them before the program ends, not in __del__ of an object that lives as long as the program"
    )

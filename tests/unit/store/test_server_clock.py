"""The server's time by a clock that is off: what a measurement changes, and what is said of it."""

import pytest

from stockyard._store.server_clock import ServerClock
from stockyard.model.clock import SteppedClock


class Machine:
    """A machine whose clock is some milliseconds ahead of the server's."""

    def __init__(self, skew: int = 0) -> None:
        self.server_ms = 1_700_000_000_000
        self.skew = skew

    def __call__(self) -> int:
        return self.server_ms + self.skew

    def measure(self, clock: ServerClock, *, there: int, back: int) -> None:
        """One call that takes so long to the server and back."""
        before = self()
        self.server_ms += there
        told = self.server_ms // 1000, self.server_ms % 1000 * 1000
        self.server_ms += back
        clock.note(before, self(), told)


@pytest.mark.parametrize("skew", [-60_000, -700, 700, 60_000])
def test_the_time_is_the_server_s_to_half_of_the_round_trip(skew: int) -> None:
    machine = Machine(skew)
    clock = ServerClock(machine)
    assert not clock.is_known
    machine.measure(clock, there=3, back=9)
    assert clock.is_known
    assert abs(clock() - machine.server_ms) <= 7


@pytest.mark.parametrize(("there", "back"), [(0, 0), (400, 0), (0, 400)])
def test_clocks_that_agree_stay_exactly_as_they_are_however_slow_the_link(there: int, back: int) -> None:
    machine = Machine()
    clock = ServerClock(machine)
    machine.measure(clock, there=there, back=back)
    assert clock.offset_ms == 0


def test_a_slow_call_does_not_spoil_what_a_quick_one_measured() -> None:
    machine = Machine(2000)
    clock = ServerClock(machine)
    machine.measure(clock, there=1, back=1)
    machine.measure(clock, there=900, back=0)
    assert clock.offset_ms == 2000
    machine.skew = 5000
    machine.measure(clock, there=1, back=1)
    assert clock.offset_ms == 5000


def test_a_server_that_does_not_tell_leaves_the_clock_as_it_is() -> None:
    machine = Machine(2000)
    clock = ServerClock(machine)
    clock.note(machine(), machine(), PermissionError("NOPERM"))
    assert clock.is_known
    assert clock() == machine()


def test_a_clock_that_was_set_is_to_be_measured_again() -> None:
    machine = Machine()
    clock = ServerClock(machine)
    machine.measure(clock, there=0, back=0)
    clock.check_for_step()
    assert clock.is_known
    machine.skew = 10_000
    clock.check_for_step()
    assert not clock.is_known


def test_a_manual_clock_is_never_corrected() -> None:
    hand = SteppedClock(5)
    clock = ServerClock(hand)
    assert clock.is_known
    clock.note(5, 5, (1_700_000_000, 0))
    assert clock() == 5
    assert clock.warning("here") == ""


def test_what_is_said_is_said_again_only_when_it_has_changed() -> None:
    machine = Machine(499)
    clock = ServerClock(machine)
    machine.measure(clock, there=0, back=0)
    assert clock.warning("redis://h") == ""
    machine.skew = 2000
    machine.measure(clock, there=0, back=0)
    assert "2.0 s ahead of that of the server at redis://h" in clock.warning("redis://h")
    assert clock.warning("redis://h") == ""
    machine.skew = -3000
    machine.measure(clock, there=0, back=0)
    assert "3.0 s behind" in clock.warning("redis://h")

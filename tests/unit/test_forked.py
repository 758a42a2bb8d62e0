"""Programs that are forked instead of started: to a test, they are as any others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forked import Forked

TOLD = "import os, sys; print(sys.argv, os.getcwd(), os.environ, sys.stdin.read(), __name__)"


def test_it_has_its_arguments_folder_environment_and_streams(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TOLD, "one", "two"]
    with Forked(
        command, cwd=tmp_path, env={"A": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        said, _ = program.communicate("three", timeout=60)
    expected = f"['-c', 'one', 'two'] {tmp_path} environ({{'A': '1'}}) three __main__\n"
    assert (said, program.returncode) == (expected, 0)


def test_a_module_runs_as_the_main_one() -> None:
    with Forked([sys.executable, "-m", "platform"], stdout=subprocess.PIPE, text=True) as program:
        assert program.communicate(timeout=60)[0].startswith("Linux")


def test_warnings_are_as_its_options_say() -> None:
    code = "import warnings; warnings.warn('x')"
    with Forked([sys.executable, "-W", "error", "-c", code], stderr=subprocess.PIPE, text=True) as program:
        _, said = program.communicate(timeout=60)
    assert said.endswith("UserWarning: x\n")
    assert program.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_its_end_by_a_signal_is_seen(number: signal.Signals) -> None:
    with Forked[bytes]([sys.executable, "-c", "import signal; signal.pause()"]) as program:
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0)
        assert program.poll() is None
        program.send_signal(number)
        assert program.wait(60) == -number
        program.send_signal(number)


def test_it_inherits_what_it_is_given_under_the_same_numbers() -> None:
    read, write = os.pipe()
    code = f"import os; os.write({write}, b'said')"
    with Forked[bytes]([sys.executable, "-c", code], pass_fds=(write,)) as program:
        os.close(write)
        assert program.wait(60) == 0
    assert os.read(read, 100) == b"said"
    assert os.read(read, 100) == b"", "another process has it as well"
    os.close(read)


def test_two_that_run_beside_each_other_share_nothing() -> None:
    code = "import secrets, random, sys; print(secrets.token_hex(4), random.random())"
    command = [sys.executable, "-c", code]
    programs = [Forked[str](command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (program.communicate(timeout=60)[0].split() for program in programs)
    assert set(first).isdisjoint(second)

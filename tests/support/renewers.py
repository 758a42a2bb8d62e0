"""How the workers of a test's own process start the process that renews their leases."""

import subprocess
import sys

from stockyard.leases import keeper
from tests.support.forked import Forked

started = keeper._start_renewer
"""As the package starts it: from nothing."""


def forked(table: int) -> "subprocess.Popen[bytes]":
    """Fork it: nine of ten milliseconds of its start are imports, and a thousand tests start one."""
    return Forked(
        [sys.executable, "-c", "from stockyard.leases.renewer_process import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(table,),
        bufsize=0,
    )

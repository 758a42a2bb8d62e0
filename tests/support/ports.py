"""TCP ports of localhost for servers that stop and come back on the same port."""

import itertools
import os
import random
import re
import socket

# Below the ranges that the system takes the ports of outgoing connections from, and the package those of its sets:
# none of them can take a port while its server is down.
_LOWEST, _PER_WORKER, _WORKERS = 2_000, 200, 40


def free_port() -> int:
    """A port that nothing listens on, out of the range of this pytest worker."""
    return free_ports(1)


def free_ports(number: int, *, bus: int = 0) -> int:
    """The first of so many ports in a row; with `bus`, the ports so far above them are free as well."""
    for first in itertools.islice(_ports, _PER_WORKER):
        row = range(first, first + number)
        # What is behind the last port of this worker is another's.
        if row[-1] < _lowest + _PER_WORKER and all(_is_free(port + above) for port in row for above in {0, bus}):
            # The ports behind the first are taken as well.
            for _ in range(number - 1):
                next(_ports)
            return first
    raise RuntimeError(f"no {number} free ports in a row from {_lowest} on")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _own_lowest() -> int:
    number = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "0"))
    return _LOWEST + int(number) % _WORKERS * _PER_WORKER


_lowest = _own_lowest()
# Two test runs on one machine have the same ranges: each begins somewhere else.
_begin = random.SystemRandom().randrange(_PER_WORKER)
_ports = (_lowest + (_begin + step) % _PER_WORKER for step in itertools.count())

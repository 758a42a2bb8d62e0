"""Chooses the memory allocator that the embedded server runs with, by `LD_PRELOAD`."""

import contextlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OFF = "off"
_PACKAGE, _PACKAGED_LIBRARY = "cmeel-mimalloc", "cmeel.prefix/lib/libmimalloc.so"
_SYSTEM_LIBRARY = "libjemalloc.so.2"  # a bare name: the loader searches its own folders
_TIMEOUT = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerBuild:
    """What a server program says about itself, and what it is started with.

    Attributes:
        major: the first number of its version, 0 when it does not say.
        allocator: the one that it was built with: `libc`, `jemalloc-5.3.0`.
        preload: the library for `LD_PRELOAD`, or `None` for the program's own allocator.
    """

    major: int = 0
    allocator: str = "unknown"
    preload: str | None = None


def build_of(program: Path) -> ServerBuild:
    """Ask a server program what it is, and choose an allocator that is known to load into it.

    A program that was built with an allocator of its own keeps it: only the C library's `malloc` is replaced.
    Each library is tried by `program --version` first: a broken one would otherwise keep the server from starting.
    """
    for library in _candidates():
        build = _ask(program, library)
        if build is None:
            _log.debug("the allocator %s does not load into %s", library, program)
        elif build.allocator == "libc":
            return build
        else:
            break
    return _ask(program, None) or ServerBuild()


def environment_with(preload: str | None) -> dict[str, str] | None:
    """Return the environment of a server process; `None` is this process's own."""
    return None if preload is None else {**os.environ, "LD_PRELOAD": preload}


def running_allocator(pid: int, built_in: str) -> str:
    """Return the allocator that a running server uses: the preloaded one, else the one that it was built with."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return built_in
    loaded = re.search(r"/lib(mimalloc|jemalloc|tcmalloc)[^/]*\.so", mapped)
    return loaded[1] if loaded else built_in


def _candidates() -> Iterator[str]:
    setting = os.environ.get("STOCKYARD_SERVER_ALLOCATOR", "")
    # Other systems do not know LD_PRELOAD, and where it is set, its user has chosen an allocator.
    if setting == _OFF or sys.platform != "linux" or "LD_PRELOAD" in os.environ:
        return
    if setting:
        yield setting
        _log.warning(
            "the embedded server runs with its own allocator: STOCKYARD_SERVER_ALLOCATOR is %r, "
            "which does not load; set it to the path of a library or to 'off'",
            setting,
        )
        return
    # Imported late: only the process that starts a server pays for it.
    from importlib import metadata

    with contextlib.suppress(metadata.PackageNotFoundError):
        yield str(metadata.distribution(_PACKAGE).locate_file(_PACKAGED_LIBRARY))
    yield _SYSTEM_LIBRARY


def _ask(program: Path, preload: str | None) -> ServerBuild | None:
    try:
        answer = subprocess.run(  # noqa: S603 - the program that find_server chose
            [program, "--version"],
            env=environment_with(preload),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # The loader goes on without a library that it cannot load, and complains.
    if answer.returncode or (preload is not None and answer.stderr):
        return None
    text = answer.stdout.decode(errors="replace")
    major, allocator = re.search(r"v=(\d+)", text), re.search(r"malloc=(\S+)", text)
    return ServerBuild(
        major=int(major[1]) if major else 0,
        allocator=allocator[1] if allocator else "unknown",
        preload=preload,
    )

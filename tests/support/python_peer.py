"""The real PyPI bullmq as a process, in an environment of its own; a test calls its objects by their names."""

from pathlib import Path

from tests.support.peer import Peer

_FOLDER = Path(__file__).parents[1] / "interop" / "python"


class PythonPeer(Peer):
    """A Python process with bullmq loaded.

    Args:
        url: of the server that its objects use.
        prefix: of the keys of objects that are made without their own; may be set at any time.
    """

    def __init__(self, url: str, prefix: str = "bull") -> None:
        python = _FOLDER / ".venv" / "bin" / "python"
        if not python.exists():
            raise RuntimeError("the PyPI package bullmq is not installed: run `make python-peer` first")
        super().__init__([python, "peer.py"], _FOLDER, url, prefix)

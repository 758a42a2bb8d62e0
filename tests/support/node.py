"""The real npm bullmq, as a Node process whose objects a test calls by their own method names."""

from pathlib import Path

from tests.support.peer import Peer, PeerError, PeerObject, has_counts, is_drained, is_in, names_of

__all__ = ["NodeError", "NodeObject", "NodePeer", "has_counts", "is_drained", "is_in", "names_of"]

NODE_FOLDER = Path(__file__).parents[1] / "interop" / "node"
NodeError = PeerError
NodeObject = PeerObject


class NodePeer(Peer):
    """A Node process with bullmq loaded; make several to have workers in several processes.

    Args:
        url: of the server that its objects use.
        prefix: of the keys of objects that are made without their own; may be set at any time.
        version: 6, or 5 for the one before. Defaults to 6.
    """

    def __init__(self, url: str, prefix: str = "bull", *, version: int = 6) -> None:
        package = {5: "bullmq5", 6: "bullmq"}[version]
        if not (NODE_FOLDER / "node_modules" / package).is_dir():
            raise RuntimeError(f"the npm package {package} is not installed: run `make node` first")
        super().__init__(["node", "peer.mjs", package], NODE_FOLDER, url, prefix)

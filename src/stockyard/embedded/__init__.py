"""An embedded server is a real Valkey or Redis as a child process: private, persistent, shared on one machine."""

from stockyard.embedded.binary import find_server
from stockyard.embedded.inspection import MemberStatus, ServerStatus, status
from stockyard.embedded.layout import SetShape
from stockyard.embedded.pinning import pin, unpin
from stockyard.embedded.server import EmbeddedServer, acquire, ephemeral

__all__ = [
    "EmbeddedServer",
    "MemberStatus",
    "ServerStatus",
    "SetShape",
    "acquire",
    "ephemeral",
    "find_server",
    "pin",
    "status",
    "unpin",
]

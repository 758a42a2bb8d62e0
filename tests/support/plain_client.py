"""A client of a few lines for processes of tests, of whose start redis-py would be half."""

import socket
from typing import Any
from urllib.parse import urlsplit

import hiredis


class PlainClient:
    """Sends each command over a connection of its own, from any thread; errors of the server are raised.

    Args:
        url: ``redis://host:port`` or ``unix:///path``.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        assert self._url.scheme in ("redis", "unix"), url
        assert not self._url.password, "it cannot sign in"

    def rpush(self, key: str, *values: object) -> int:
        length: int = self._call("RPUSH", key, *values)
        return length

    def lrange(self, key: str, first: int, last: int) -> list[bytes]:
        found: list[bytes] = self._call("LRANGE", key, first, last)
        return found

    def exists(self, key: str) -> bool:
        return bool(self._call("EXISTS", key))

    def set(self, key: str, value: object) -> None:
        self._call("SET", key, value)

    def _call(self, *command: object) -> Any:
        reader = hiredis.Reader()
        with self._connected() as connection:
            connection.sendall(hiredis.pack_command(tuple(map(str, command))))  # type: ignore[arg-type]
            reply: Any = False
            while reply is False:
                received = connection.recv(65_536)
                if not received:
                    raise ConnectionError("the server closed the connection")
                reader.feed(received)
                reply = reader.gets()
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def _connected(self) -> socket.socket:
        if self._url.scheme == "redis":
            return socket.create_connection(
                (self._url.hostname or "127.0.0.1", self._url.port or 6379), timeout=30
            )
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(self._url.path)
        return connection

"""Receivers of notifications that answer slowly, wrongly, or with a redirect."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Receiver:
    """A TCP server that counts its connections and answers each by a function.

    Args:
        answer: called in a thread with each connection and the event that is set at the end of the test.
    """

    def __init__(self, answer: Callable[[socket.socket, threading.Event], None]) -> None:
        self.connections = 0
        self.cut = threading.Event()
        """Set once a connection was ended by its client."""
        self._answer = answer
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._answer(connection, self._ended)
            except OSError:
                self.cut.set()


@contextmanager
def receiver(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[Receiver]:
    """A receiver until the end of the block."""
    made = Receiver(answer)
    try:
        yield made
    finally:
        made.close()


def dripping(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Send one byte after the other, with a pause, for ever."""

    def answer(connection: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            for at in range(len(text)):
                connection.sendall(text[at : at + 1])
                if ended.wait(0.02):
                    return

    return answer


def saying(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Read a request and send the same bytes to each."""

    def answer(connection: socket.socket, _ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return answer

"""Limits on the server of the tests, and an exchange over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from stockyard import App, Settings, Topology
from stockyard.model.clock import SteppedClock

START = 1_700_006_400_000


class Exchange:
    """A server that answers each request with the next of some replies, and counts them."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, dict[str, str]]] = []
        self.requests: list[str] = []
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                exchange.requests.append(self.path)
                status, headers = exchange.replies.pop(0) if exchange.replies else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Iterator["Exchange"]:
        """Answer until the end of the block."""
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """An exchange over HTTP."""
    with Exchange().open() as opened:
        yield opened


@pytest.fixture
async def open_app(redis_url: str, prefix: str) -> AsyncIterator[Callable[..., App]]:
    """Makes Apps of this test's prefix, by their further arguments; they are closed at its end."""
    made: list[App] = []

    def make(topology: Topology | None = None, **options: object) -> App:
        settings = Settings.load(redis_url, prefix=prefix, dotenv=None)
        made.append(App(topology or Topology("t"), settings=settings, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    await asyncio.gather(*(app.aclose() for app in made))


@pytest.fixture
def clock() -> SteppedClock:
    """A clock at the begin of a full day."""
    return SteppedClock(START)

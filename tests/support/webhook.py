"""A webhook that keeps what it is sent."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """A webhook's other end: keeps what it was sent; refuses, and takes seconds, as it is told to."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuses = False
        self.takes = 0.0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not listener.refuses:
                    listener.got.append(json.loads(body))
                time.sleep(listener.takes)
                self.send_response(503 if listener.refuses else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?secret=s3cret"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def notified(self) -> list[tuple[str, str, str]]:
        return [(each["status"], each["rule"], each["queue"]) for each in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

"""A mail server of the tests: it takes messages, offers a login, and TLS if it is given a certificate."""

import socketserver
import threading
from typing import Self


class MailServer:
    """Speaks SMTP on a port of this machine; keeps every line that it was sent."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        lines = self.lines

        class Conversation(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.answer("220 mail")
                is_text = False
                for raw in self.rfile:
                    line = raw.decode().rstrip("\r\n")
                    lines.append(line)
                    command = line.upper()
                    if is_text:
                        is_text = line != "."
                        if not is_text:
                            self.answer("250 taken")
                    elif command.startswith("EHLO"):
                        self.answer("250-mail", "250 AUTH PLAIN LOGIN")
                    elif command.startswith("AUTH"):
                        self.answer("235 welcome")
                    elif command == "DATA":
                        is_text = True
                        self.answer("354 go on")
                    elif command == "QUIT":
                        self.answer("221 bye")
                        return
                    else:
                        self.answer("250 fine")

            def answer(self, *replies: str) -> None:
                self.wfile.write("".join(f"{reply}\r\n" for reply in replies).encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

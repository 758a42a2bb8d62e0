"""Certificates of an authority of the test's own, and a server's front door that speaks TLS and asks for one."""

import contextlib
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_NEW = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split()
_NO_AUTHORITY = ("-addext", "basicConstraints=critical,CA:FALSE")


class Authority:
    """Issues certificates; each is a file ``<name>.crt`` with a key ``<name>.key``.

    Args:
        folder: where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"
        self._sign("ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Return a certificate and its key.

        Args:
            name: of the files.
            hosts: whom it is for, as ``DNS:localhost`` or ``IP:127.0.0.1``. Defaults to none: a client's.
        """
        extra = ["-addext", f"subjectAltName={','.join(hosts)}"] if hosts else []
        return self._sign(name, "-CA", str(self.certificate), "-CAkey", str(self._key), *_NO_AUTHORITY, *extra)

    def _sign(self, name: str, *more: str) -> tuple[Path, Path]:
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        subject = ["-subj", f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*_NEW, *subject, *more], check=True, capture_output=True)
        return certificate, key


class TlsFront:
    """Forwards to a server on localhost what arrives by TLS from clients with a certificate; a context manager.

    Threads and plain sockets: they tell a client why it is refused, as a real server does.

    Args:
        url: of the server, with a TCP port.
        authority: certificate of who signed those of clients.
        certificate, key: its own.
    """

    def __init__(self, url: str, authority: Path, certificate: Path, key: Path) -> None:
        self._target = urlsplit(url)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._is_flowing = threading.Event()
        self._is_flowing.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing pass, goodbyes included."""
        self._is_flowing.clear()
        try:
            yield
        finally:
            self._is_flowing.set()

    def url(self, host: str = "127.0.0.1", **options: object) -> str:
        """The URL that leads through it."""
        login, at, _ = self._target.netloc.rpartition("@")
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"rediss://{login}{at}{host}:{self._listener.getsockname()[1]}/0?{query}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # Closing a socket does not wake who waits on it.
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError), connection:
            client = self._context.wrap_socket(connection, server_side=True)
            self._open.add(client)
            with client, socket.create_connection((self._target.hostname, self._target.port)) as server:
                self._forward(client, server)

    def _forward(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        while True:
            ready = [client] if client.pending() else select.select([client, server], [], [])[0]
            self._is_flowing.wait()
            for source in ready:
                part = source.recv(65536)
                if not part:
                    return
                (server if source is client else client).sendall(part)

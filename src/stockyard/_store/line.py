"""One connection to the server: sends calls, reads their replies in order, and never sends one twice."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

from hiredis import HiredisError, Reader, ReplyError, pack_command
from redis import exceptions as redis_errors
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from stockyard._store.certificates import tls_failure
from stockyard._store.greeting import is_turned_away
from stockyard._store.refusals import is_out_of_connections, out_of_connections, refusal_of
from stockyard._store.sending import unsent
from stockyard.config import Address
from stockyard.errors import (
    AuthenticationFailed,
    InvalidOption,
    ReplyLost,
    ServerError,
    ServerRefused,
    ServerTooOld,
    ServerUnavailable,
)

Command = Sequence[str | bytes | int | float]
OLDEST_SERVER = (6, 2)

_LOST = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.InvalidResponse,
    HiredisError,
    OSError,
    EOFError,
)
_INCOMPLETE = object()
_CHUNK = 65_536
_ROLE_SECONDS = 1.0


class Line:
    """A connection used by one caller at a time.

    Args:
        address: where the server is.
        client_name: name shown by ``CLIENT LIST``, or None.
        reads_text: replies are str, with U+FFFD for what is no UTF-8, in place of bytes.

    Attributes:
        address: where the server is.
        received: bytes of all replies that were read.
        is_misled: the server refused a call because it is not the one to ask (any more): the connection is used no
            more, though replies that are under way can still be read.
    """

    def __init__(self, address: Address, *, client_name: str | None = None, reads_text: bool = False) -> None:
        self.address = self._address = address
        self._connection = _connection(address, client_name, reads_text)
        self._decoding: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"} if reads_text else {}
        self._replies = Reader()
        self._broken = False
        self.received = 0
        self.is_misled = False
        self._seen_primary = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether it is connected to the server to ask, and its replies are in step with its calls."""
        reader, writer = self._connection._reader, self._connection._writer
        if self._broken or self.is_misled or reader is None or writer is None:
            return False
        return not reader.at_eof() and not writer.transport.is_closing()

    async def open(self, timeout: float) -> None:
        """Connect, authenticate, and look at the server's version.

        Raises:
            ServerUnavailable: it cannot be reached within ``timeout`` seconds.
            AuthenticationFailed: it refused the credentials.
            TlsFailed: one side does not accept the other's certificate.
            ServerTooOld: it is older than Redis 6.2.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.close()
                # Until the handshake is done, a cancelled caller leaves it half-way.
                self._broken = True
                await self._connection.connect()  # type: ignore[no-untyped-call]
                self._replies = Reader(notEnoughData=_INCOMPLETE, **self._decoding)
                self._broken = self.is_misled = False
                self._seen_primary = -math.inf
                self._send_at_once()
                await self._check_version()
        except ServerTooOld:
            await self.close()
            raise
        except redis_errors.AuthenticationError as error:
            await self.close()
            raise AuthenticationFailed(
                f"the server at {self._address} refused the credentials ({error}); "
                "check REDIS_PASSWORD or the user and password in REDIS_URL"
            ) from error
        except redis_errors.ResponseError as error:
            await self.close()
            raise ServerRefused(f"the server at {self._address} refused the connection: {error}") from error
        except (TimeoutError, *_LOST) as error:
            await self.close()
            if (failure := tls_failure(self._address, error)) is not None:
                raise failure from error
            if is_out_of_connections(str(error)) or (
                _was_closed_on(error) and await is_turned_away(self._address)
            ):
                raise ServerUnavailable(out_of_connections(self._address)) from error
            if isinstance(error.__cause__, ServerUnavailable):
                raise error.__cause__ from None
            raise ServerUnavailable(
                f"no server at {self._address} ({str(error) or self._silence}); start one, or set REDIS_URL"
            ) from error

    async def ask(
        self, commands: Sequence[Command], timeout: float | None, *, silence: float | None = None
    ) -> list[Any]:
        """Send commands in one write and return a reply for each; an error reply is returned, not raised.

        Args:
            commands: each owes one reply.
            timeout: seconds until the first byte of a reply; bytes of ours that still go out prolong it.
            silence: seconds from one byte received to the next. Defaults to ``timeout``.

        Raises:
            ServerUnavailable: not connected; nothing was sent.
            ReplyLost: sent, and the server fell silent or the connection broke.
        """
        self.write(commands)
        return await self.read(len(commands), timeout, silence=silence)

    async def leads_to_primary(self, timeout: float) -> bool:
        """Say whether the server is a primary; one that was a second ago still counts as one.

        Raises:
            ServerUnavailable: not connected.
            ReplyLost: no answer.
        """
        if time.monotonic() - self._seen_primary < _ROLE_SECONDS:
            return True
        # The one command that tells the role and that every user may call.
        (greeting,) = await self.ask([("HELLO",)], timeout)
        self.is_misled = isinstance(greeting, list) and _is_replica(greeting)
        if not self.is_misled:
            self._seen_primary = time.monotonic()
        return not self.is_misled

    def write(self, commands: Sequence[Command]) -> None:
        """Put commands on the wire without waiting; each owes one reply, to be read in order.

        Raises:
            ServerUnavailable: not connected; nothing was sent.
        """
        # The library's own sending waits for nothing either, but only a coroutine can call it.
        writer = self._connection._writer
        if not self.is_open or writer is None:
            raise ServerUnavailable(f"not connected to the server at {self._address}")
        try:
            packed = [pack_command(tuple(command)) for command in commands]  # type: ignore[arg-type]
        except UnicodeEncodeError as error:
            raise InvalidOption(
                f"text with a lone surrogate ({error.object[error.start]!a}, half of a character) cannot be "
                "sent: UTF-8 has no form for it"
            ) from error
        writer.writelines(packed)

    async def read(self, count: int, timeout: float | None, *, silence: float | None = None) -> list[Any]:
        """Return the next replies; an error reply is returned, not raised. The times are those of ``ask``.

        Raises:
            ReplyLost: the server fell silent or the connection broke.
        """
        replies: list[Any] = []
        take = self._replies.gets
        try:
            for _ in range(count):
                while (reply := take()) is _INCOMPLETE:
                    self._replies.feed(await self._more(timeout))
                    timeout = silence or timeout
                if reply.__class__ is ReplyError:
                    reply = refusal_of(str(reply), self._address)
                    # The caller reads on: what it wrote behind may have been answered otherwise.
                    self.is_misled |= isinstance(reply, ServerUnavailable)
                replies.append(reply)
        except (TimeoutError, *_LOST) as error:
            self.drop()
            raise ReplyLost(
                f"the server at {self._address} did not answer ({str(error) or 'timed out'}); the call may "
                "or may not have happened"
            ) from error
        except BaseException:
            # A caller that was cancelled leaves replies behind: nobody may read them as its own.
            self.drop()
            raise
        return replies

    async def _more(self, timeout: float | None) -> bytes:
        """Return the next bytes; raise TimeoutError after a silence in which nothing of ours went out either."""
        stream = self._connection._reader
        if stream is None:
            raise ConnectionError("not connected")
        # In two halves: what is to go out at the end of either shows whether bytes left meanwhile.
        half = None if timeout is None else timeout / 2
        before, is_late = None, False
        while True:
            try:
                async with asyncio.timeout(half):
                    received = await stream.read(_CHUNK)
            except TimeoutError:
                now = unsent(self._connection._writer)
                if is_late and now == before:
                    raise
                before, is_late = now, now == before or not is_late
                continue
            if not received:
                raise ConnectionError("closed by the server")
            self.received += len(received)
            return received

    async def read_bytes(self, timeout: float) -> bytes:
        """Return what the server sent, unread by anybody else; nothing when it was silent for so many seconds.

        Raises:
            ReplyLost: the connection broke.
        """
        reader = self._connection._reader
        try:
            if reader is None:
                raise ConnectionError("not connected")
            async with asyncio.timeout(timeout):
                if sent := await reader.read(65_536):
                    return sent
            raise ConnectionError("closed by the server")
        except TimeoutError:
            return b""
        except OSError as error:
            self.drop()
            raise ReplyLost(f"the connection to the server at {self._address} broke ({error})") from error

    def drop(self) -> None:
        """Close at once, without waiting for the transport."""
        connection = self._connection
        if connection._writer is not None:
            connection._writer.transport.abort()
        connection._reader = connection._writer = None
        self._broken = True

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        writer = self._connection._writer
        try:
            async with asyncio.timeout(1):
                # TLS says goodbye before its socket closes: a loop that ends meanwhile would leave that open.
                await self._connection.disconnect(nowait=self._address.scheme != "rediss")
        except (TimeoutError, *_LOST, RuntimeError):
            self._broken = True
            if writer is not None:
                writer.transport.abort()

    @property
    def _silence(self) -> str:
        return "no answer; does it speak TLS at this port?" if self._address.scheme == "rediss" else "no answer"

    def _send_at_once(self) -> None:
        """Let the server begin with what is written in this turn of the loop; uvloop would wait for its end."""
        if (writer := self._connection._writer) is not None:
            writer.transport.set_write_buffer_limits(high=0)

    async def _check_version(self) -> None:
        try:
            # PING is refused while the server loads its data, INFO is not.
            reply, pong = await self.ask([("INFO", "server"), ("PING",)], None)
        except ServerError as error:
            raise redis_errors.ConnectionError(str(error)) from error
        for refusal in (reply, pong):
            if isinstance(refusal, ServerUnavailable):
                raise redis_errors.ConnectionError(str(refusal)) from refusal
        if isinstance(reply, AuthenticationFailed):
            raise redis_errors.AuthenticationError(str(reply)) from reply
        if isinstance(reply, Exception):
            return
        for row in (reply if isinstance(reply, str) else reply.decode()).splitlines():
            if row.startswith("redis_version:"):
                version = row.removeprefix("redis_version:")
                if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
                    raise ServerTooOld(
                        f"the server at {self._address} is Redis {version}; Stockyard needs Redis 6.2 or later, "
                        "or any Valkey"
                    )


def _was_closed_on(error: BaseException | None) -> bool:
    """Say whether the other side closed the connection, by the error or what caused it."""
    while error is not None:
        if isinstance(error, ConnectionResetError | BrokenPipeError) or "closed" in str(error).lower():
            return True
        error = error.__cause__
    return False


def _is_replica(greeting: list[Any]) -> bool:
    facts = dict(zip(greeting[::2], greeting[1::2], strict=False))
    return facts.get(b"role", facts.get("role")) in (b"replica", "replica", b"slave", "slave")


def accepted(reply: Any) -> Any:
    """Return a reply; raise it if it is an error."""
    if isinstance(reply, ServerError):
        raise reply
    return reply


def _connection(address: Address, client_name: str | None, reads_text: bool) -> AbstractConnection:
    options: dict[str, Any] = {
        "db": address.database,
        "username": address.username,
        "password": address.password,
        "client_name": client_name,
        "decode_responses": reads_text,
        "encoding_errors": "replace",
        # The library would send a call again whose reply was lost: whether to is ours to decide.
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "protocol": 2,
        # Two more commands for each connection, unknown to servers before 7.2, that tell nobody anything.
        "driver_info": None,
    }
    if address.scheme == "unix":
        return UnixDomainSocketConnection(path=address.path or "", **options)
    options |= {"host": address.host, "port": address.port, "socket_keepalive": True}
    if address.scheme == "rediss":
        files = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
        options |= {files[name]: path for name, path in address.tls.items()}
        # Without a word, OpenSSL would ask the terminal for the passphrase of a key, and wait for ever.
        options["ssl_password"] = ""
        return SSLConnection(**options)
    return Connection(**options)

"""One connection to the server: sends calls, reads their replies in order, and never sends one twice."""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from stockyard._aio.randomness import jitter
from stockyard._store.net.endpoint import Endpoint
from stockyard._store.net.locator import Locator
from stockyard._store.net.login import check_login, login_commands
from stockyard._store.net.parser import ParserError, ReplyError, ReplyParser, pack_command
from stockyard._store.net.refusals import is_out_of_connections, leads_astray, out_of_connections, refusal_of
from stockyard._store.net.unsent import Unsent
from stockyard.config import Address
from stockyard.errors import InvalidOption, ReplyLost, ServerError, ServerUnavailable, TlsFailed

Command = Sequence[str | bytes | int | float]

LOST = (OSError, EOFError, ParserError)
_INCOMPLETE = object()
_ROLE_SECONDS = 1.0
_REFUSAL_SECONDS = 0.5
_CLOSED = re.compile("closed|EOF occurred", re.IGNORECASE)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
"""Seconds between two attempts to connect."""
_LONGEST_PAUSE_OF_LOCATED = 0.3
"""The same where others say where the server is: they are there while it is away, and a failover is soon over."""


class Connection(ABC):
    """A connection used by one caller at a time; its subclasses know how it waits: in a loop, or in a thread.

    Args:
        address: where the server is.
        client_name: name shown by ``CLIENT LIST``, or None.
        reads_text: replies are str, with U+FFFD for what is no UTF-8, in place of bytes.
        locator: finds the server each time that it connects. Defaults to what is at the address.

    Attributes:
        address: where the server is.
        received: bytes of all replies that were read.
        is_misled: the server refused a call because it is not the one to ask (any more): the connection is used no
            more, though replies that are under way can still be read.
    """

    def __init__(
        self,
        address: Address,
        *,
        client_name: str | None = None,
        reads_text: bool = False,
        locator: Locator | None = None,
    ) -> None:
        self.address = address
        self._client_name = client_name
        self._locator = locator
        self._endpoint = Endpoint(address)
        self._decoding: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"} if reads_text else {}
        self._replies = ReplyParser()
        self.received: int = 0
        self.is_misled: bool = False
        self._seen_primary = -math.inf

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether it is connected to the server to ask, and its replies are in step with its calls."""

    @property
    def is_astray(self) -> bool:
        """Whether the server to ask is known to be at another place by now."""
        return self._locator is not None and not self._locator.is_current(self._endpoint.address)

    async def open(self, timeout: float) -> None:
        """Connect, log in, and look at the server's version.

        Raises:
            ServerUnavailable: it cannot be reached within ``timeout`` seconds.
            AuthenticationFailed: it refused the credentials.
            ServerRefused: it refused the connection's name or database.
            TlsFailed: one side does not accept the other's certificate.
            ServerTooOld: it is older than Redis 6.2.
        """
        try:
            async with self._within(timeout):
                await self.close()
                if self._locator is not None:
                    self._endpoint = Endpoint(await self._locator.locate(self.sibling))
            async with self._within(
                timeout if self._locator is None else min(timeout, self._locator.connect_timeout)
            ):
                await self._connect()
                self._replies = ReplyParser(notEnoughData=_INCOMPLETE, **self._decoding)
                self.is_misled = False
                self._seen_primary = -math.inf
                place = self._endpoint.address
                commands = login_commands(place, self._client_name)
                # Whether the server has closed it by now, the replies show: it may have said why.
                self._send(_packed(commands))
                check_login(place, await self._receive(len(commands), None))
                if self._locator is not None and self._locator.names_primaries:
                    await self._check_role()
        except ServerError:
            await self.close()
            raise
        except LOST as error:
            await self.close()
            failure = self._tls_failure(error)
            if failure is None and _was_closed_on(error) and self._endpoint.address.scheme == "rediss":
                failure = await self._tls_refusal()
            if failure is not None:
                raise failure from error
            if is_out_of_connections(str(error)) or (_was_closed_on(error) and await self._is_turned_away()):
                raise ServerUnavailable(out_of_connections(self.address)) from error
            raise ServerUnavailable(
                f"no server at {self.address} ({str(error) or self._silence}); start one, set REDIS_URL to "
                "another, or to embedded:// to have one started"
            ) from error
        except BaseException:
            # A caller that was cancelled leaves the login half-way.
            self.drop()
            raise

    async def open_until(self, deadline: float, *, before: ServerUnavailable | None = None) -> None:
        """Connect, trying again with growing, jittered pauses; the errors are those of ``open``.

        Args:
            deadline: by ``time.monotonic``.
            before: why the server did nothing a moment ago: raised instead of the error of an attempt that the
                deadline cut short, which says less. Defaults to nothing.
        """
        pause = _FIRST_PAUSE
        longest = _LONGEST_PAUSE if self._locator is None else _LONGEST_PAUSE_OF_LOCATED
        while True:
            try:
                return await self.open(max(deadline - time.monotonic(), 0.001))
            except ServerUnavailable as error:
                wait = jitter(pause)
                now = time.monotonic()
                if now >= deadline and before is not None:
                    # This attempt was cut short, and says less than the one before it.
                    raise before from None
                if now + wait >= deadline:
                    raise
                before = error
                await self.pause(wait)
                pause = min(pause * 2, longest)

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

    async def _check_role(self) -> None:
        self._send(_packed([("HELLO",)]))
        (greeting,) = await self._receive(1, None)
        if isinstance(greeting, list) and _is_replica(greeting):
            raise ServerUnavailable(
                f"the primary of {self.address} is not known yet: {self._endpoint.address}, which is named as it, "
                "is a replica; a failover that is under way ends by itself"
            )
        self._seen_primary = time.monotonic()

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
        if not self.is_open:
            raise ServerUnavailable(f"not connected to the server at {self.address}")
        self._send(_packed(commands))

    async def read(self, count: int, timeout: float | None, *, silence: float | None = None) -> list[Any]:
        """Return the next replies; an error reply is returned, not raised. The times are those of ``ask``.

        Raises:
            ReplyLost: the server fell silent or the connection broke.
        """
        try:
            return await self._receive(count, timeout, silence)
        except LOST as error:
            self.drop()
            raise self._lost(error) from error
        except BaseException:
            # A caller that was cancelled leaves replies behind: nobody may read them as its own.
            self.drop()
            raise

    async def _receive(self, count: int, timeout: float | None, silence: float | None = None) -> list[Any]:
        replies: list[Any] = []
        take = self._replies.gets
        for _ in range(count):
            while (reply := take()) is _INCOMPLETE:
                # In two halves: see ``_late``.
                half = None if timeout is None else timeout / 2
                try:
                    received = await self._some(half)
                except TimeoutError:
                    received = await self._late(half)
                if not received:
                    raise ConnectionError("closed by the server")
                self.received += len(received)
                self._replies.feed(received)
                timeout = silence or timeout
            if reply.__class__ is ReplyError:
                reply = refusal_of(str(reply), self.address, self._endpoint.address.host)
                # The caller reads on: what it wrote behind may have been answered otherwise.
                self.is_misled |= leads_astray(reply)
                if self._locator is not None and isinstance(reply, ServerUnavailable):
                    self.is_misled |= self._locator.note_refusal(reply)
            replies.append(reply)
        return replies

    async def _late(self, half: float | None) -> bytes:
        """Return what comes after half of a time-out; raise TimeoutError when nothing of ours went out either."""
        # What is to go out at the end of either half shows whether bytes left meanwhile.
        before, is_late = self._unsent(), True
        while True:
            try:
                return await self._some(half)
            except TimeoutError:
                now = self._unsent()
                if is_late and now == before:
                    raise
                before, is_late = now, now == before or not is_late

    @abstractmethod
    def sibling(self, address: Address) -> Connection:
        """Return a connection to another address that waits as this one does."""

    @abstractmethod
    def drop(self) -> None:
        """Close at once, without waiting."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect; closing twice is fine."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Wait before another attempt."""

    @abstractmethod
    async def _connect(self) -> None:
        """Reach the server; raise ConnectionError that says why it cannot be reached, or TimeoutError."""

    @abstractmethod
    def _within(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError in a block that takes longer."""

    @abstractmethod
    def _send(self, packed: list[bytes]) -> None:
        """Put bytes on the wire."""

    @abstractmethod
    def _some(self, seconds: float | None) -> Coroutine[Any, Any, bytes]:
        """Return bytes that came, nothing at the end of the stream; raise TimeoutError when none come in time."""

    @abstractmethod
    def _unsent(self) -> Unsent | None:
        """Return what is still to go out, or None when nothing is."""

    @abstractmethod
    async def _is_turned_away(self) -> bool:
        """Say whether the server has too many connections."""

    def _tls_failure(self, error: BaseException) -> TlsFailed | None:
        if self._endpoint.address.scheme != "rediss":
            return None
        # Imported late: without TLS, no process needs it.
        from stockyard._store.net.tls_errors import tls_failure

        return tls_failure(self._endpoint.address, error)

    async def _tls_refusal(self) -> TlsFailed | None:
        """Ask a server again that closed a connection at once, and say what TLS has against it, if anything.

        A server that wants a certificate says so behind the handshake, and closes; what was sent to it meanwhile
        may bring a reset before its word is read. Where nothing was sent, it can be read.
        """
        try:
            async with self._within(_REFUSAL_SECONDS):
                await self._connect()
                await self._some(None)
        except LOST as error:
            return self._tls_failure(error)
        finally:
            self.drop()
        return None

    def _lost(self, error: BaseException) -> Exception:
        """Return what to raise when a call was sent and not answered."""
        return ReplyLost(
            f"the server at {self.address} did not answer ({str(error) or 'timed out'}); the call may "
            "or may not have happened"
        )

    @property
    def _silence(self) -> str:
        return (
            "no answer; does it speak TLS at this port?"
            if self._endpoint.address.scheme == "rediss"
            else "no answer"
        )


def _packed(commands: Sequence[Command]) -> list[bytes]:
    try:
        return [pack_command(tuple(command)) for command in commands]  # type: ignore[arg-type]
    except UnicodeEncodeError as error:
        raise InvalidOption(
            f"text with a lone surrogate ({error.object[error.start]!a}, half of a character) cannot be "
            "sent: UTF-8 has no form for it"
        ) from error


def _was_closed_on(error: BaseException | None) -> bool:
    """Say whether the other side closed the connection, by the error or what caused it."""
    while error is not None:
        # TLS calls a connection that ended without its goodbye an EOF.
        if isinstance(error, ConnectionResetError | BrokenPipeError) or _CLOSED.search(str(error)):
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

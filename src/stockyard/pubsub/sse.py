"""Serves a channel to browsers, as server-sent events or by WebSocket; needs the extra ``dashboard``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

try:
    import anyio
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import PlainTextResponse
    from starlette.types import Receive, Scope, Send
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as error:
    raise ImportError("server-sent events need the extra: pip install 'stockyard[dashboard]'") from error

from stockyard.errors import InvalidOption, ServerError
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.payload import json_of
from stockyard.pubsub.message import Message, MessageGap
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.pubsub.replay import Replay
from stockyard.pubsub.subscription import Subscription

_FAREWELL = 1.0
"""Seconds in which a stream ends by itself when the server stops; after that it is cut off."""

_GOING_AWAY, _TRY_AGAIN = 1001, 1013
"""Codes by which a WebSocket is closed."""

_LIVE = "live"
"""The id of every event of a live channel: who reconnects says that it was there before."""


def endpoint(channel: OpenChannel[Any], *, buffer: int = 1_000, ping: Duration = "15s") -> Endpoint:
    """Return an ASGI application that streams a channel's messages, to mount or to run.

    Args:
        channel: live or durable.
        buffer: messages of a live channel that wait for one client at most; the oldest give way. Defaults to
            1,000.
        ping: pause between comments that keep the connection alive. Defaults to 15 s.

    Each message is an event whose data is its JSON. Where messages are missing there is an event named ``gap``,
    with ``reason`` and ``missed``. A client that reconnects (``Last-Event-ID``) goes on where it was in a durable
    channel, and gets a gap event in a live one. ``?after=0-0`` begins with the oldest that a durable channel
    keeps. When uvicorn is asked to stop, open streams end at once.

    Mounted as a WebSocket's route it sends each message as JSON text, ``{"id": …, "value": …}`` or
    ``{"gap": {"reason": …, "missed": …}}``, and ends when the client or the server goes; ``?after=`` goes on
    behind an id.

    Example:
        Starlette(routes=[Route("/prices", endpoint(app.channel(prices)))])
        Starlette(routes=[WebSocketRoute("/prices", endpoint(app.channel(prices)))])

    Raises:
        InvalidOption: an argument is out of its range.
    """
    return Endpoint(channel, buffer=buffer, ping_ms=milliseconds(ping, option="ping"))


class Endpoint:
    """An ASGI application; see ``endpoint``."""

    def __init__(self, channel: OpenChannel[Any], *, buffer: int, ping_ms: int) -> None:
        self._channel = channel
        self._buffer = checks.whole("buffer", buffer, least=1)
        self._ping = ping_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client."""
        if scope["type"] == "websocket":
            await self._serve_socket(WebSocket(scope, receive, send))
            return
        request = Request(scope, receive)
        if request.method != "GET":
            refusal = PlainTextResponse("only GET", 405, {"Allow": "GET"})
            await refusal(scope, receive, send)
            return
        messages, is_back = self._reader(_came_from(request))
        try:
            await messages.__aenter__()
        except ServerError:
            away = PlainTextResponse("the channel cannot be read now", 503, {"Retry-After": "2"})
            await away(scope, receive, send)
            return
        try:
            stopping = anyio.Event()
            response = EventSourceResponse(
                _events(messages, is_back, stopping),
                ping=self._ping,
                shutdown_event=stopping,
                shutdown_grace_period=_FAREWELL,
            )
            await response(scope, receive, send)
        finally:
            await messages.aclose()

    async def _serve_socket(self, socket: WebSocket) -> None:
        messages, is_back = self._reader(_came_from(socket))
        await socket.accept()
        try:
            await messages.__aenter__()
        except ServerError:
            await socket.close(_TRY_AGAIN, "the channel cannot be read now")
            return
        try:
            # Whichever ends first ends the other: the client or the server goes, or the subscription is over.
            leaving = asyncio.create_task(_until_disconnected(socket))
            sending = asyncio.create_task(_send_all(socket, messages, is_back))
            try:
                await asyncio.wait([leaving, sending], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (leaving, sending):
                    task.cancel()
                await asyncio.wait([leaving, sending])
            if not sending.cancelled() and (error := sending.exception()) is not None:
                raise error
        finally:
            await messages.aclose()

    def _reader(self, came_from: str | None) -> tuple[Replay[Any] | Subscription[Any], bool]:
        """Return who reads, and whether the client was there before and has missed what nobody knows."""
        if not self._channel.channel.durable:
            return self._channel.subscribe(buffer=self._buffer), came_from is not None
        try:
            return self._channel.replay(came_from), False
        except InvalidOption:
            return self._channel.replay(), True


def _came_from(request: HTTPConnection) -> str | None:
    return request.headers.get("last-event-id") or request.query_params.get("after")


async def _events(
    messages: Replay[Any] | Subscription[Any], is_back: bool, stopping: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    # An id without data is no event, but the client keeps it, should it leave before the first one.
    yield ServerSentEvent(id=messages.place if isinstance(messages, Replay) else _LIVE)
    if is_back:
        yield _event(MessageGap(channel=messages.channel, reason="reconnected"))
    ending = asyncio.create_task(_close_when(stopping, messages))
    try:
        async for item in messages:
            yield _event(item)
    finally:
        ending.cancel()


async def _close_when(stopping: anyio.Event, messages: Replay[Any] | Subscription[Any]) -> None:
    await stopping.wait()
    await messages.aclose()


async def _until_disconnected(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass  # what a client says is not for the channel


async def _send_all(socket: WebSocket, messages: Replay[Any] | Subscription[Any], is_back: bool) -> None:
    with contextlib.suppress(WebSocketDisconnect):  # noticed by sending; `_until_disconnected` ends this, too
        if is_back:
            await socket.send_text(_text(MessageGap(channel=messages.channel, reason="reconnected")))
        async for item in messages:
            await socket.send_text(_text(item))
        await socket.close(_GOING_AWAY)


def _text(item: Message[Any] | MessageGap) -> str:
    if isinstance(item, MessageGap):
        return json_of({"gap": {"reason": item.reason, "missed": item.missed}}, what="a gap").decode()
    value = json_of(item.value, what="a message of channel", of=item.channel).decode()
    return f'{{"id":{json_of(item.id, what="an id").decode()},"value":{value}}}'


def _event(item: Message[Any] | MessageGap) -> ServerSentEvent:
    if isinstance(item, MessageGap):
        text = json_of({"reason": item.reason, "missed": item.missed}, what="a gap")
        return ServerSentEvent(text.decode(), event="gap")
    text = json_of(item.value, what="a message of channel", of=item.channel)
    return ServerSentEvent(text.decode(), id=item.id)

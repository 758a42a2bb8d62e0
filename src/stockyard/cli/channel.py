"""`stockyard channel`: publish a message, and see what is published."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.app import App
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, show_json, when
from stockyard.cli.options import AsJson
from stockyard.cli.payload import payload_of
from stockyard.errors import InvalidOption
from stockyard.pubsub import Channel, Message, MessageGap, OpenChannel

channel = Command(name="channel", help="Publish messages on a channel, and see what is published.")

Durable = Annotated[bool, Parameter(name="--durable", help="The channel is a durable one.")]


@channel.command
def publish(
    name: str,
    data: str,
    /,
    *,
    durable: Durable = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Publish a message; print its id, or on a live channel how many connections it was sent to.

    Args:
        name: the channel.
        data: the message as JSON text; @FILE reads it from a file, @- from standard input.
    """
    answer = asyncio.run(_publish(connection, _declared(name, durable), payload_of(data)))
    if json:
        show_json({"channel": name, "id" if durable else "sent_to": answer})
    else:
        say(answer)


@channel.command
async def tail(
    name: str,
    /,
    *,
    durable: Durable = False,
    after: str | None = None,
    count: int | None = None,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Print what is published from now on, until Ctrl-C.

    Args:
        name: the channel.
        after: id in a durable channel to go on behind; 0-0 begins with the oldest there is.
        count: end after so many lines.
    """
    if count is not None and count < 1:
        raise InvalidOption(f"--count must be 1 or more; got {count}")
    declared = _declared(name, durable or after is not None)
    shown = 0
    async with connection.open() as app:
        opened = _opened(app, declared)
        reader = opened.replay(after) if opened.channel.durable else opened.subscribe()
        async with reader as messages:
            async for item in messages:
                _show(item, json=json)
                shown += 1
                if shown == count:
                    return


def _declared(name: str, durable: bool) -> Channel[Any]:
    # What is published here is not the occasion to let anything go: how much is kept is declared elsewhere.
    return Channel(name, durable=True, keep=None, max_len=None) if durable else Channel(name)


def _opened(app: App, declared: Channel[Any]) -> OpenChannel[Any]:
    """Return the channel as the program itself declared it, if it did."""
    return app.channel(app.channels.find(declared.name) or declared)


async def _publish(connection: Connection, declared: Channel[Any], message: Any) -> Any:
    async with connection.open() as app:
        return await _opened(app, declared).publish(message)


def _show(item: Message[Any] | MessageGap, *, json: bool) -> None:
    if json:
        show_json(item, on_one_line=True)
    else:
        say(_line(item))


def _line(item: Message[Any] | MessageGap) -> str:
    if isinstance(item, MessageGap):
        missed = "some" if item.missed is None else f"{item.missed:,}"
        return f"-- {missed} missing: {item.reason}"
    place = f"{item.id}  {when(item.timestamp)}  " if item.id else ""
    return place + msgspec.json.encode(item.value).decode()

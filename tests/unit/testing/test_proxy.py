"""A proxy before a server that answers what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from stockyard.testing.proxy import Proxy
from stockyard.testing.waiting import eventually


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while text := await reader.read(100):
        writer.write(text)
    writer.close()


async def read_end(reader: asyncio.StreamReader) -> bool:
    """Return whether the connection is broken."""
    try:
        return await reader.read(100) == b""
    except ConnectionError:
        return True


@pytest.fixture(params=["tcp", "unix"])
async def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxy]:
    if request.param == "tcp":
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/3"
    else:
        server = await asyncio.start_unix_server(echo, tmp_path / "s")
        url = f"unix://{tmp_path / 's'}?db=3"
    async with server, Proxy(url) as proxy:
        yield proxy


async def test_its_url_leads_through_it(proxy: Proxy) -> None:
    assert proxy.url == f"redis://127.0.0.1:{proxy.port}/3"
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"one"
    assert proxy.requests == [b"one"]
    writer.close()


@pytest.mark.parametrize("break_off", [lambda proxy: proxy.cut(), lambda proxy: proxy.lose_reply(bool)])
async def test_a_connection_breaks_and_the_next_is_served(
    proxy: Proxy, break_off: Callable[[Proxy], object]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"one"
    break_off(proxy)
    writer.write(b"two")
    assert await read_end(reader)
    again, more = await asyncio.open_connection("127.0.0.1", proxy.port)
    more.write(b"three")
    assert await again.read(100) == b"three"
    more.close()
    writer.close()


async def test_what_is_held_back_arrives_later(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.hold()
    writer.write(b"one")
    reading = asyncio.create_task(reader.read(100))
    await asyncio.sleep(0)
    assert not reading.done()
    proxy.release()
    assert await reading == b"one"
    writer.close()


async def test_it_listens_no_more_until_it_accepts(proxy: Proxy) -> None:
    port = proxy.port
    await proxy.refuse()
    assert not proxy.is_listening
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
    await proxy.accept()
    await eventually(lambda: proxy.is_listening)
    assert proxy.port == port

"""A dashboard on this test's own keys, and people who use it."""

from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from stockyard.dashboard import Dashboard
from tests.support.yard import Yard

TOKEN, READ_TOKEN = "the-token-to-act-with", "the-token-to-look-with"
VOID = set("area base br col embed hr img input link meta param source track wbr".split())


class Page(HTMLParser):
    """What a page has: its elements with their attributes, its text, and whether it is well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def field(self, name: str) -> str:
        return next(each["value"] for each in self.all("input") if each.get("name") == name)


class Person:
    """A browser without a script, and who sits before it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def see(self, path: str, status: int = 200) -> Page:
        reply = await self.client.get(path)
        assert reply.status_code == status, reply.text
        return Page(reply.text)

    async def sign_in(self, token: str, name: str = "ada") -> httpx.Response:
        form_token = (await self.see("/sign-in")).field("form_token")
        fields = {"token": token, "name": name, "form_token": form_token, "back": "/workers"}
        return await self.client.post("/sign-in", data=fields)

    async def do(self, path: str, on: str = "/", *, sure: bool = True, **fields: Any) -> httpx.Response:
        """Send a form of a page; follow to the page that comes then."""
        page = await self.see(on)
        form = {"form_token": page.field("form_token"), "back": on, **({"sure": "1"} if sure else {}), **fields}
        return await self.client.post(path, data=form, follow_redirects=True)


Open = Callable[..., Person]


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


@pytest.fixture
async def visit(yard: Yard) -> AsyncIterator[Open]:
    """Opens dashboards on the yard's app, each for a person of its own."""
    clients: list[httpx.AsyncClient] = []
    boards: list[Dashboard] = []

    def open_one(base: str = "", **options: Any) -> Person:
        given = options or {"unprotected": True}
        boards.append(Dashboard(yard.app, **given))
        transport = httpx.ASGITransport(boards[-1], root_path=base)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://board.test"))
        return Person(clients[-1])

    yield open_one
    for client in clients:
        await client.aclose()
    for board in boards:
        await board.aclose()

"""The dashboard by the shipped logins: a reader is shown what it may see and does nothing, an operator acts."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stockyard import App, Topology
from stockyard.dashboard import Dashboard
from stockyard.dashboard.views.all_views import VIEWS
from tests.integration.dashboard.conftest import Page, Person
from tests.support.documents import ROOT
from tests.support.servers import OwnServer


@pytest.fixture
def logins(tmp_path: Path) -> Iterator[OwnServer]:
    """A server with the shipped users, each with its name, written twice, for a password."""
    text = (ROOT / "deploy" / "users.acl").read_text()
    users = tmp_path / "users.acl"
    users.write_text(re.sub(r"#SHA256_OF_(\w+)_PASSWORD", lambda found: f">{found[1].lower() * 2}", text))
    server = OwnServer(tmp_path, user="admin", password="adminadmin", port=True, options={"aclfile": str(users)})
    server.start()
    yield server
    server.stop()


async def test_a_login_that_may_only_read_sees_the_pages(logins: OwnServer) -> None:
    topology = Topology("read")
    topology.queue("q")
    async with App(topology, logins.url) as operator:
        await operator.queue("q").add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(3)])
    reader = logins.url.replace("admin:adminadmin@", "reader:readerreader@")
    async with App(topology, reader) as app:
        board = Dashboard(app, unprotected=True)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url="http://board.test") as client:
            person = Person(client)
            for view in VIEWS.values():
                if view.has_menu:
                    await person.see("/" if view.name == "overview" else f"/{view.name}")
            for path in ("/queue?name=q&state=waiting", "/job?queue=q&id=j1", "/search?q=data.n:2"):
                assert "j" in (await person.see(path)).text
            refused = await person.do("/do/pause?queue=q")
            assert "Not done" in Page(refused.text).text


async def test_an_operator_sees_the_pages_and_acts(logins: OwnServer) -> None:
    topology = Topology("operate")
    topology.queue("q")
    operator = logins.url.replace("admin:adminadmin@", "operator:operatoroperator@")
    async with App(topology, logins.url) as admin:
        await admin.queue("q").add("job", {"n": 1}, job_id="j1")
    async with App(topology, operator) as app:
        board = Dashboard(app, unprotected=True)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url="http://board.test") as client:
            person = Person(client)
            for view in VIEWS.values():
                if view.has_menu:
                    await person.see("/" if view.name == "overview" else f"/{view.name}")
            for path in ("/do/pause?queue=q", "/do/resume?queue=q", "/do/remove?queue=q&id=j1"):
                assert "Done" in Page((await person.do(path)).text).text
            assert "remove" in (await person.see("/audit")).text

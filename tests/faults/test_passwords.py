"""A password that is changed while a worker works: it says so, and goes on when its own is right again."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from stockyard import Job
from stockyard.errors import AuthenticationFailed
from tests.support.contention import contention
from tests.support.servers import OwnServer
from tests.support.sets import ServerSet
from tests.support.waiting import eventually
from tests.support.yard import Yard

USER = "desk"
GOES_ON_WITHIN = 2.0


class Login:
    """What clients need at a server or a set: a password that is changed on all nodes, and connections are closed.

    Args:
        url: without a login.
        nodes: connections of an administrator, one to each node.
        user: whose password it is; that of the server without one.
        first: the password at first. Defaults to one.
    """

    def __init__(self, url: str, nodes: Sequence[Any], user: str = "", first: str = "first") -> None:
        self._scheme, _, self._rest = url.partition("://")
        self._nodes = nodes
        self._user = user
        self.first = first
        self.change(first)

    def url(self, password: str) -> str:
        login = f"{self._user}:{password}@" if password else ""
        return f"{self._scheme}://{login}{self._rest}"

    def change(self, password: str) -> None:
        for node in self._nodes:
            if self._user:
                account = ("on", "resetpass", f">{password}", "~*", "&*", "+@all")
                node.execute_command("ACL", "SETUSER", self._user, *account)
                node.execute_command("CLIENT", "KILL", "USER", self._user)
            else:
                node.config_set("requirepass", password)
                node.client_kill_filter(_type="normal", skipme=True)


@pytest.fixture(params=["server", "server without one", "user", "sentinel", "cluster"])
def login(request: pytest.FixtureRequest, make_server: Callable[..., OwnServer]) -> Iterator[Login]:
    with ExitStack() as opened:
        if request.param in ("sentinel", "cluster"):
            servers: ServerSet = request.getfixturevalue(f"{request.param}_set")
            nodes = [opened.enter_context(servers.client(node)) for node in servers.nodes]
            yield Login(servers.url, nodes, USER)
        else:
            server = make_server(port=True)
            nodes = [opened.enter_context(server.client())]
            user, first = USER if request.param == "user" else "", "" if "without" in request.param else "first"
            yield Login(server.url, nodes, user, first)


async def test_a_worker_says_so_and_goes_on(login: Login, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    over = asyncio.Event()

    async def run(job: Job[Any]) -> None:
        ran.append(job.id)
        if job.id == "long":
            await over.wait()

    async with Yard(login.url(login.first), "t") as yard:
        queue = yard.queue(lock="10s")
        worker = await yard.work(run, concurrency=2)
        long = await queue.add("x", job_id="long")
        await eventually(lambda: ran == ["long"])
        with caplog.at_level(logging.WARNING, "stockyard"):
            login.change("second")

            def says_so() -> bool:
                return any("refused the credentials" in check.detail for check in worker.health_checks())

            await eventually(says_so)
            assert all(check.ok for check in worker.health_checks() if check.is_fatal)
            with pytest.raises(AuthenticationFailed, match="refused the credentials"):
                await queue.add("x", job_id="refused")
            with pytest.raises(AuthenticationFailed, match="refused the credentials"):
                await asyncio.to_thread(lambda: queue.sync.add("x", job_id="refused"))
            async with Yard(login.url("second"), "t") as other:
                await other.queue().add("x", job_id="waits")
            assert "waits" not in ran
            login.change(login.first)
            back = time.monotonic()
            await eventually(lambda: "waits" in ran)
            took = time.monotonic() - back
            print(f"\ngoes on {took:.2f} s after the password is right again")
            assert took < GOES_ON_WITHIN * await contention()
        await eventually(lambda: all(check.ok for check in worker.health_checks()))
        assert (await queue.add("x", job_id="last")).id == "last"
        over.set()
        await long.wait_for_result(25)
        await eventually(lambda: ran == ["long", "waits", "last"])
        assert (await long.refresh()).stalled_count == 0
    said = [text for record in caplog.records if "refused the credentials" in (text := record.getMessage())]
    assert any("REDIS_PASSWORD" in text for text in said)
    assert len(said) == len(set(said)), said
    assert not any("first" in text or "second" in text for text in said)

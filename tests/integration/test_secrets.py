"""No password shows: not in messages, tracebacks, logs, representations, or what the command prints."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from stockyard import App, Job, Settings, StockyardError, Topology
from stockyard.cli import main
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually

PASSWORD = "w0rd:one/s3cret@two#thr33"
PARTS = ("w0rd", "s3cret", "thr33")
ENCODED = quote(PASSWORD, safe="")
GOES_WRONG = [
    f"redis://:{ENCODED}@127.0.0.1:1",
    f"redis://me:{ENCODED}@no-such-host.invalid",
    f"rediss://:{ENCODED}@127.0.0.1:1?ca=/nowhere",
    f"unix://:{ENCODED}@/nowhere/at/all",
    f"redis://:{ENCODED}@127.0.0.1:port",
    f"redis://:{ENCODED}@127.0.0.1/first",
    f"redis://:{ENCODED}@127.0.0.1?timeout=3",
    f"redis://:{ENCODED}@127.0.0.1?password={ENCODED}",
    f"http://:{ENCODED}@127.0.0.1",
    f"redis+cluster://:{ENCODED}@127.0.0.1",
    f"redis://:{PASSWORD}@127.0.0.1:1",
    f":{PASSWORD}@127.0.0.1:1",
    PASSWORD,
]
COMMANDS = [
    ["doctor"],
    ["health"],
    ["queue", "counts", "mail"],
    ["job", "add", "mail", "welcome"],
    ["schedule", "list", "mail"],
    ["cache", "stats"],
    ["alerts", "list"],
    ["worker", "tests.integration.cli.shop:shop"],
]


def shows(text: str) -> list[str]:
    return [part for part in PARTS if part in text]


async def echo(job: Job[Any]) -> Any:
    return job.data


@pytest.fixture
def login(make_server: Callable[..., OwnServer]) -> OwnServer:
    return make_server(password=PASSWORD, port=True)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every word of every logger, the libraries' included."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_the_command_tells_of_failures_without_it(
    command: list[str],
    way: str,
    capfd: pytest.CaptureFixture[str],
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOCKYARD_CALL_TIMEOUT", "0.2")
    monkeypatch.setenv("REDIS_URL", "")  # which the command may set for what it runs
    target = [] if command[0] == "worker" else ["--app=tests.integration.cli.shop:shop"]
    for url in GOES_WRONG:
        if command[0] == "worker" and url.startswith(("redis://:w", "redis://me", "unix", "redis+")):
            continue  # it waits for such a server
        if way == "argument":
            status = main([*command, *target, "--redis-url", url])
        else:
            monkeypatch.setenv("REDIS_URL", url)
            if command[0] != "cache":  # which has nothing to tell of a server of its own
                monkeypatch.setenv("CACHE_REDIS_URL", url)
            status = main([*command, *target])
        out, err = capfd.readouterr()
        assert (status, bool(err)) == (2, True), url
        assert shows(out + err + log.text) == [], url


@pytest.mark.parametrize(
    "mistake",
    [
        ["doctor", GOES_WRONG[0]],
        ["doctor", "--redis-urls", GOES_WRONG[0]],
        ["doctor", f"--redis-urls={GOES_WRONG[0]}"],
        ["health", "--redis-url", GOES_WRONG[0], "--redis-url", GOES_WRONG[0]],
        [GOES_WRONG[0]],
    ],
)
def test_a_slip_on_the_command_line_is_told_without_it(
    mistake: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(mistake) == 2
    assert shows("".join(capfd.readouterr())) == []


async def test_errors_and_their_causes_are_without_it(login: OwnServer, log: pytest.LogCaptureFixture) -> None:
    with login.client() as client:
        client.execute_command("ACL", "SETUSER", "weak", "on", f">{PASSWORD}", "~no:*", "+@all", "-@scripting")
    urls = [
        *GOES_WRONG,
        login.url.replace(ENCODED, quote(f"{PASSWORD}-wrong", safe="")),
        login.url.replace("//:", "//nobody:"),
        login.url.replace("//:", "//weak:"),
        login.url.replace("/0", "/99"),
        login.url.replace("redis://", "rediss://"),
    ]
    topology = Topology("test")
    topology.queue("q")
    told = []
    for url in urls:
        try:
            async with App(topology, url, call_timeout=0.2) as app:
                await app.queue("q").add("x")
        except StockyardError as error:
            told.append("".join(traceback.format_exception(error)))
        else:
            raise AssertionError("nothing went wrong")
    assert shows("".join(told) + log.text) == []


async def test_a_server_that_goes_away_is_told_of_without_it(
    login: OwnServer, log: pytest.LogCaptureFixture
) -> None:
    topology = Topology("test")
    topology.queue("q", lock="200ms")
    async with Proxy(login.url) as proxy, App(topology, proxy.url, call_timeout=0.2) as app:
        worker = app.worker("q", echo, handle_signals=False)
        running = asyncio.create_task(worker.run())
        await app.cache("c", near="1h").set("a", 1)
        async with app.events("q") as events:
            await (await app.queue("q").add("x")).wait_for_result(25)
            await anext(events)
            await proxy.refuse()
            with pytest.raises(StockyardError) as told:
                await app.queue("q").add("x")
            await eventually(lambda: "worker of queue q" in log.text)
            await proxy.accept()
            await worker.stop()
            await running
    assert "worker of queue q" in log.text
    assert shows(log.text + "".join(traceback.format_exception(told.value))) == []


async def test_nothing_that_can_be_printed_shows_it(login: OwnServer) -> None:
    settings = Settings.load(login.url, cache=login.url, dotenv=None)
    topology = Topology("test")
    topology.queue("q")
    async with App(topology, settings=settings) as app:
        job = await app.queue("q").add("x")
        worker = app.worker("q", echo, handle_signals=False)
        for each in (
            settings,
            settings.address,
            settings.cache,
            app,
            app.url,
            app.queue("q"),
            worker,
            worker.options,
            job,
            app.cache("c"),
            app.caches,
            app.events("q"),
            app.flows,
            app.alerts,
            app.alert_monitor(),
            await app.check_server(),
            await app.health(),
        ):
            assert shows(repr(each) + str(each)) == []
            assert shows(repr(getattr(each, "__dict__", {}))) == [], each

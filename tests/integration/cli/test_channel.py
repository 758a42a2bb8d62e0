"""`stockyard channel`: publishing, and seeing what is published."""

import asyncio
import subprocess
import sys

import msgspec
import redis

from stockyard import App, Channel, Topology
from tests.integration.cli.conftest import ROOT, Run
from tests.support.forked import Forked
from tests.support.waiting import wait_until


def test_a_durable_channel_is_published_to_and_shown(run: Run) -> None:
    first = run("channel", "publish", "fills", '{"price": 1}', "--durable").out.strip()
    second = run("channel", "publish", "fills", "2", "--durable", "--json").json()
    assert isinstance(second, dict)
    shown = run("channel", "tail", "fills", "--after=0-0", "--count=2").out.splitlines()
    assert [line.split("  ")[0] for line in shown] == [first, second["id"]]
    assert [line.split("  ")[-1] for line in shown] == ['{"price":1}', "2"]
    (line,) = run("channel", "tail", "fills", f"--after={first}", "--count=1", "--json").out.splitlines()
    assert msgspec.json.decode(line) == {"value": 2, "channel": "fills", "id": second["id"]}


def test_nothing_is_trimmed_by_who_does_not_know_how_much_is_kept(run: Run, redis_url: str, prefix: str) -> None:
    async def publish() -> int:
        async with App(Topology("t"), redis_url, prefix=prefix) as app:
            channel = app.channel(Channel("fills", int, durable=True, keep=None, max_len=None))
            await channel.publish_many(range(100_001))
            await asyncio.to_thread(run, "channel", "publish", "fills", "1", "--durable")
            return len(await channel.read(count=200_000))

    assert asyncio.run(publish()) == 100_002


def test_a_live_channel_is_listened_to(run: Run, raw: "redis.Redis", redis_url: str, prefix: str) -> None:
    command = [sys.executable, "-m", "stockyard.cli", "channel", "tail", "prices", "--count=2"]
    with Forked(
        [*command, f"--redis-url={redis_url}", f"--prefix={prefix}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as listening:
        wait_until(lambda: raw.pubsub_numsub(f"{prefix}::channel:prices")[0][1])
        assert run("channel", "publish", "prices", '{"symbol": "BTCUSDT"}').out == "1\n"
        assert run("channel", "publish", "prices", "2", "--json").json() == {"channel": "prices", "sent_to": 1}
        told, _ = listening.communicate(timeout=60)
    assert told == '{"symbol":"BTCUSDT"}\n2\n'
    assert listening.returncode == 0


def test_what_is_missing_is_shown(run: Run, raw: "redis.Redis", prefix: str) -> None:
    first = run("channel", "publish", "fills", "1", "--durable").out.strip()
    for number in ("2", "3", "4"):
        run("channel", "publish", "fills", number, "--durable")
    raw.xtrim(f"{prefix}::channel:fills:messages", maxlen=1, approximate=False)
    shown = run("channel", "tail", "fills", f"--after={first}", "--count=2").out.splitlines()
    assert shown[0] == "-- some missing: trimmed"
    assert shown[1].endswith("  4")


def test_mistakes_are_one_message(run: Run) -> None:
    for arguments, complaint in (
        (["publish", "a b", "1"], "a channel's name must be"),
        (["publish", "a", "{"], "the data must be JSON text"),
        (["tail", "a", "--after=now"], "after must be the id of a message"),
        (["tail", "a", "--count=0"], "--count must be 1 or more"),
    ):
        said = run("channel", *arguments)
        assert (said.status, said.out) == (2, "")
        assert complaint in said.err

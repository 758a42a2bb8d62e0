"""The users of `deploy/users.acl`: each may do all that its role needs, and nothing else."""

import asyncio
import gc
import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import redis
from redis.exceptions import NoPermissionError

from stockyard import App, ServerRefused, Settings, Topology
from stockyard._store.net.cluster_calls import guarded as guarded_call
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.scripts import load, names
from stockyard._wire.keys import QueueKeys
from stockyard._wire.own_keys import (
    CacheKeys,
    ChannelKeys,
    alerts_base,
    cancel_channel,
    channels_index,
    halts_base,
    limits_base,
    limits_index,
)
from stockyard.model.naming import Naming, Slots
from tests.support.documents import ROOT, run_commands, shell_blocks
from tests.support.role_table import ROLES, SCRIPTS
from tests.support.roles import Operation
from tests.support.servers import OwnServer
from tests.support.stage import Stage
from tests.support.waiting import eventually

FILE = ROOT / "deploy" / "users.acl"
ON_CLUSTERS = {
    *("asking", "cluster|nodes", "cluster|slots", "pubsub|shardchannels", "pubsub|shardnumsub"),
    *("spublish", "ssubscribe", "sunsubscribe"),
}
"""No single server is asked these: `tests/integration/sets/test_acl.py` does on a cluster."""

_numbers = itertools.count()


def with_passwords(text: str) -> str:
    """The file as an operator completes it; each user's password is its name, written twice."""
    return re.sub(r"#SHA256_OF_(\w+)_PASSWORD", lambda found: f">{found[1].lower() * 2}", text)


def allowed(role: str) -> list[str]:
    """The commands that the file gives a role."""
    (line,) = [each for each in FILE.read_text().splitlines() if each.startswith(f"user {role} ")]
    return re.findall(r" \+(\S+)", line)


class Guarded:
    """A server with the shipped users, and a look at what it refused."""

    def __init__(self, server: OwnServer) -> None:
        self.url = server.url
        self.known: dict[tuple[str, Operation], set[str]] = {}
        self.client = server.client()
        # The library's reader stumbles over names of connections that end with '='.
        self.client.set_response_callback("ACL LOG", lambda reply, **_: reply)

    def login(self, role: str) -> str:
        return self.url.replace("admin:adminadmin@", f"{role}:{role * 2}@")

    def stage(self, role: str) -> Stage:
        return Stage(self.login(role), self.url, f"q{next(_numbers)}")

    def obeyed(self, role: str, commands: str) -> list[str]:
        """Which of these commands a role's user may run."""
        ran = []
        with redis.Redis.from_url(self.login(role)) as client:
            for command in filter(None, map(str.strip, re.split(r"[|\n]", commands))):
                try:
                    client.execute_command(*command.split())
                except NoPermissionError:
                    continue
                except redis.ResponseError as error:
                    command += f" ({error})"
                ran.append(command)
        return ran

    def may(self, role: str, *command: str) -> bool:
        """Say whether a role's user might run a command."""
        reply = self.client.execute_command("ACL", "DRYRUN", role, *command)  # type: ignore[no-untyped-call]
        return bool(reply == "OK")

    def alter(self, role: str, rule: str) -> None:
        """Change what a role's user may do."""
        self.client.execute_command("ACL", "SETUSER", role, rule)  # type: ignore[no-untyped-call]

    def refused(self) -> list[str]:
        """What was refused since this was asked last."""
        # Together: what is refused between the two would be forgotten.
        with self.client.pipeline(transaction=True) as pipe:
            pipe.acl_log()
            pipe.acl_log_reset()
            log, _ = pipe.execute()
        return [f"{each['username']}: {each['object']} ({each['reason']})" for each in log]

    def used(self) -> set[str]:
        """The commands that anybody used since this was asked last."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.info("commandstats")
            pipe.config_resetstat()
            told, _ = pipe.execute()
        return {name.removeprefix("cmdstat_") for name in told}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    data = tmp_path_factory.mktemp("acl")
    (data / "users.acl").write_text(with_passwords(FILE.read_text()))
    options = {"aclfile": f"{data}/users.acl", "enable-debug-command": "local"}
    server = OwnServer(data, user="admin", password="adminadmin", port=True, options=options)
    server.start()
    guard = Guarded(server)
    yield guard
    guard.client.close()
    server.stop()


async def commands_of(guarded: Guarded, role: str, operation: Operation) -> set[str]:
    """Do an operation as a role's user, and return the commands that were used meanwhile, by whomever."""
    known = guarded.known.get((role, operation))
    if known is None:
        guarded.used()
        guarded.client.script_flush()
        stage = guarded.stage(role)
        try:
            await operation(stage)
        finally:
            await stage.aclose()
        known = guarded.known[role, operation] = guarded.used()
    return known


async def is_refused_without(guarded: Guarded, role: str, command: str, operation: Operation) -> bool:
    """Say whether an operation meets a refusal when its user lacks a command."""
    guarded.refused()
    guarded.alter(role, f"-{command}")
    if command == "eval_ro":
        guarded.client.script_flush()  # a script that the server knows needs no sending
    stage = guarded.stage(role)
    doing = asyncio.create_task(operation(stage))
    refused: list[str] = []

    def is_settled() -> bool:
        refused.extend(guarded.refused())
        return bool(refused) or doing.done()

    await eventually(is_settled)
    guarded.alter(role, f"+{command}")
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    await stage.aclose()
    return bool(refused)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_all_that_it_needs(guarded: Guarded, role: str) -> None:
    guarded.refused()
    for operation in ROLES[role]:
        await commands_of(guarded, role, operation)
        assert guarded.refused() == [], operation.__name__


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_its_scripts_do_in_their_rarest_branches(role: str) -> None:
    run = [load(name) for name in names() if re.match(SCRIPTS[role], name)]
    called = {each.lower() for script in run for each in re.findall(r"call\(\s*'(\w+)'", script.text)}
    # Those are called only where the server says that the user may.
    called -= {each.lower() for script in run for each in re.findall(r"acl_check_cmd, '(\w+)'", script.text)}
    assert called <= {each.partition("|")[0] for each in allowed(role)}


# Operations are broken off wherever they are, and some leave a connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("role", ROLES)
async def test_a_role_needs_every_command_that_it_may_use(guarded: Guarded, role: str) -> None:
    """Whatever is taken from it, one of its operations is refused something."""
    used = {each: await commands_of(guarded, role, each) for each in ROLES[role]}
    needless = []
    # An operator does all that a reader does, of which each command is needed.
    known = set(allowed("reader")) if role == "operator" else set()
    for command in sorted(set(allowed(role)) - known - ON_CLUSTERS):
        # Those that use few commands are done soon.
        suspects = sorted((each for each in used if command in used[each]), key=lambda each: len(used[each]))
        for operation in suspects:
            if await is_refused_without(guarded, role, command, operation):
                break
        else:
            needless.append(command)
    gc.collect()
    assert not needless, " ".join(needless)


DANGEROUS = """
    FLUSHALL | FLUSHDB | CONFIG GET * | CONFIG SET maxmemory 1 | CONFIG REWRITE | KEYS * | DEBUG SLEEP 0 | SAVE
    SHUTDOWN NOSAVE | ACL LIST | ACL SETUSER default on nopass +@all | MONITOR | BGREWRITEAOF | REPLICAOF NO ONE
    SCRIPT FLUSH | FUNCTION LIST | EVAL return(1) 0 | RANDOMKEY | DBSIZE | MEMORY DOCTOR | SLOWLOG GET | SWAPDB 0 1
    CLIENT PAUSE 1 | MIGRATE 127.0.0.1 1 bull:q:id 0 1 | DUMP bull:q:id | RENAME bull:q:id bull:q:no
    SORT bull:q:wait | COPY bull:q:id bull:q:no
    GET other:q:id | SET other:q:id 1 | DEL other:q:id | HGETALL other:q:meta | GET bulls:q:id | EXISTS bull
"""


@pytest.mark.parametrize("role", ROLES)
def test_nobody_but_the_admin_touches_the_server_or_the_keys_of_others(guarded: Guarded, role: str) -> None:
    # Jobs that a BullMQ 5 set aside by pausing are put back by renaming their list.
    own = ["RENAME bull:q:id bull:q:no (no such key)"] if role == "operator" else []
    assert guarded.obeyed(role, DANGEROUS) == own


@pytest.mark.parametrize(
    ("role", "commands"),
    [
        (
            "producer",
            "GET bull::cache:prices::e:BTC | HGETALL bull::alerts:incidents | CLIENT LIST | CLIENT KILL ID 0"
            "| GET {bull::cache}:prices::e:BTC | GET {bull}::cache:prices::e:BTC | HGETALL {bull::alerts:d}:i",
        ),
        (
            "producer",
            "LRANGE bull:q:wait 0 -1 | LTRIM bull:q:wait 1 0 | BZPOPMIN bull:q:marker 1",
        ),
        ("worker", "CLIENT KILL ID 0 | CLIENT KILL TYPE normal | CLIENT UNBLOCK 0 | CLIENT NO-EVICT on"),
        ("reader", "EVALSHA 0 0 | SCRIPT LOAD return(1) | SCRIPT EXISTS 0 | FUNCTION LOAD x | FCALL x 0"),
        ("worker", "GET bull::cache:prices::e:BTC | SCAN 0 | CLIENT TRACKING ON"),
        (
            "reader",
            "SET bull:q:id 1 | DEL bull:q:id | HSET bull:q:meta paused 1 | LPUSH bull:q:wait 1 | CLIENT KILL ID 0",
        ),
        ("reader", "XADD bull:q:events * event x | XTRIM bull:q:events MAXLEN 0 | GET bull::cache:prices::e:BTC"),
        ("cache", "GET bull:q:id | SET bull:q:1:lock x | DEL bull:q:wait | HGETALL bull::alerts:incidents"),
        ("cache", "GET {bull:f}:q:id | SET bull:{q}:1:lock x | DEL {bull}:q:wait | GET {bull::caches}:x"),
        ("pubsub", "HGET bull:q:id x | XADD bull:q:events * event x | EXISTS bull::cache:prices::e:BTC"),
        ("reader", "HSET bull::limits:x:head frozen: 1 | DEL bull::limits:x:head"),
        ("producer", "HGETALL bull::limits:x:head"),
        ("operator", "XADD bull::channel:fills:messages * d 1 | DEL bull::channel:fills:messages"),
        ("operator", "PUBLISH bull::channel:prices 1 | SUBSCRIBE bull::channel:prices"),
        ("pubsub", "PUBLISH other::channel:prices 1 | SUBSCRIBE bull:q | PSUBSCRIBE * | PUBLISH bull:q 1"),
        ("worker", "PUBLISH bull::channel:prices 1 | SUBSCRIBE bull::channel:prices"),
        ("pubsub", "HGET {bull:f}:q:id x | EXISTS {bull}:q:id | PUBLISH {bull:f}:q 1 | SUBSCRIBE {bull::cancel:}"),
        ("producer", "CLUSTER NODES | CLUSTER SHARDS | CLUSTER FAILOVER | CLUSTER FORGET x | READONLY"),
    ],
)
def test_a_role_does_not_do_the_work_of_another(guarded: Guarded, role: str, commands: str) -> None:
    assert guarded.obeyed(role, commands) == []


@pytest.mark.parametrize("slots", [None, *get_args(Slots)])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_its_keys_and_channels_with_any_hash_tag_and_no_others(
    guarded: Guarded, role: str, slots: Slots | None
) -> None:
    naming = Naming("bull", slots)
    queues = [QueueKeys(naming, name)["meta"] for name in ("execution:orders", "mail")]
    alerts, cache = f"{alerts_base(naming, 'desk')}incidents", CacheKeys(naming).totals
    limits = [f"{limits_base(naming, 'venue')}x", limits_index(naming), f"{halts_base(naming)}current"]
    kept = [ChannelKeys(naming, "prices").messages, channels_index(naming)]
    mine = {
        "producer": queues,
        "worker": [*queues, alerts, *limits],
        "reader": [*queues, alerts, *limits, *kept],
        "operator": [*queues, alerts, *limits, *kept],
        "cache": [cache],
        "pubsub": kept,
    }[role]
    if slots is not None:
        mine += [guarded_by(key) for key in mine]
    command = "GET" if role == "cache" else "EXISTS"
    usable = {key for key in {*queues, alerts, *limits, cache, *kept, *mine} if guarded.may(role, command, key)}
    assert usable == set(mine)
    channels = {
        cancel_channel(naming, "mail"): "worker",
        f"{halts_base(naming)}changed": "worker",
        ChannelKeys(naming, "prices").live: "pubsub",
    }
    if "subscribe" in allowed(role):
        assert [name for name in channels if guarded.may(role, "SUBSCRIBE", name)] == [
            name for name, owner in channels.items() if owner == role
        ]


def guarded_by(key: str) -> str:
    """The key that a cluster sends with those of a script in the slot of this one."""
    return guarded_call(ScriptCall(load("reading.state"), (key,), ())).keys[-1]


async def test_a_producer_cannot_remove_a_queue_or_list_its_jobs_or_use_a_cache(guarded: Guarded) -> None:
    stage = guarded.stage("producer")
    job = await stage.queue.add("x", {"secret": 1})
    for refused in (
        stage.queue.obliterate(force=True),
        stage.queue.get_jobs("waiting"),
        stage.queue.clean("waiting"),
        stage.app.cache("prices").get("BTC"),
        stage.app.cache("prices").set("BTC", 1),
    ):
        with pytest.raises(ServerRefused):
            await refused
    assert await job.state() == "waiting"
    await stage.aclose()


def test_a_reader_cannot_write_by_a_script(guarded: Guarded) -> None:
    with redis.Redis.from_url(guarded.login("reader")) as client:
        for call in ("redis.call('SET', KEYS[1], 1)", "redis.call('DEL', KEYS[1])"):
            with pytest.raises(redis.ResponseError, match=r"[Ww]rite commands are not|no permissions"):
                client.execute_command("EVAL_RO", call, 1, "bull:q:id")


def test_on_redis_6_2_the_file_is_changed_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations" / "security.md").read_text()
    found = re.search(r"`(sed -E .*?users\.acl)`", page, re.DOTALL)
    assert found
    (tmp_path / "users.acl").write_text(FILE.read_text())
    command = " ".join(found[1].split())
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "_ro" not in done.stdout
    (reader,) = [line for line in done.stdout.splitlines() if line.startswith("user reader ")]
    assert {"+evalsha", "+script|load"} <= set(reader.split())
    assert done.stdout.count("\n") == FILE.read_text().count("\n")


async def test_a_reader_cannot_write(guarded: Guarded) -> None:
    stage = guarded.stage("reader")
    job = await stage.queue.get_job((await stage.prepared.add("x")).id)
    assert job is not None
    for refused in (
        stage.queue.add("y"),
        stage.queue.pause(),
        stage.queue.remove(job.id),
        stage.queue.drain(),
        job.update_data(1),
        job.log("x"),
        stage.app.alerts.silence(duration="1s"),
        stage.app.schedules(stage.name).upsert("s", every="1h"),
    ):
        with pytest.raises(ServerRefused):
            await refused
    assert await stage.prepared.counts() == await stage.queue.counts()
    assert (await stage.queue.count("waiting")) == 1
    await stage.aclose()


async def test_one_process_works_as_one_user_and_remembers_as_another(guarded: Guarded) -> None:
    guarded.refused()
    topology = Topology("desk")
    topology.queue("both")
    settings = Settings.load(
        guarded.login("worker"), cache=guarded.login("cache"), cache_bytes="1mb", dotenv=None, environ={}
    )
    async with App(topology, settings=settings) as app:
        await app.queue("both").add("x")
        await app.cache("both").set("a", 1)
        assert await app.caches.budget() == 2**20
    assert guarded.refused() == []


def test_the_file_is_of_no_use_before_it_has_passwords(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text(FILE.read_text())
    server = OwnServer(tmp_path, options={"aclfile": f"{tmp_path}/users.acl"})
    with pytest.raises(AssertionError, match="password hash must be exactly 64 characters"):
        server.start()


def test_the_page_s_commands_make_the_file_ready(tmp_path: Path) -> None:
    users, _ = shell_blocks(ROOT / "docs" / "operations" / "security.md")
    run_commands(users, tmp_path)
    server = OwnServer(
        tmp_path,
        user="reader",
        password=(tmp_path / "reader.password").read_text().strip(),
        options={"aclfile": f"{tmp_path}/users.acl"},
    )
    server.start()
    with server.client() as client:
        assert client.ping()
    server.stop()
    assert {each.stat().st_mode & 0o077 for each in tmp_path.glob("*.password")} == {0}


def test_nobody_gets_in_without_a_login(guarded: Guarded) -> None:
    with (
        redis.Redis.from_url(re.sub("//.*@", "//", guarded.url)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()

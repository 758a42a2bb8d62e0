"""Addresses of several hosts: how they are read, shown, compared and taken apart, and what is refused."""

from pathlib import Path

import pytest

from stockyard import ConfigError, Settings
from stockyard.config import Address

FILE = __file__
THREE = (("h1", 26379), ("h2", 26380), ("::1", 26379))
NODES = (("h1", 7000), ("h2", 7001))


def read(url: str, **environ: str) -> Address:
    return Settings.load(environ={"REDIS_URL": url, **environ}, dotenv=None).address


def refusal(url: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(url, **environ)
    return str(refused.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "redis+sentinel://me:p%40w@H1,h2:26380,[::1]:26379/primary?db=2",
            Address("redis+sentinel", "h1", 26379, None, "me", "p@w", 2, hosts=THREE, service="primary"),
        ),
        (
            "redis+sentinel://h1:1/a.b-c_9?sentinel_username=s&sentinel_password=p%26+w",
            Address(
                "redis+sentinel",
                "h1",
                1,
                hosts=(("h1", 1),),
                service="a.b-c_9",
                sentinel_username="s",
                sentinel_password="p&+w",
            ),
        ),
        (
            f"rediss+sentinel://h1:1/p?ca={FILE}&cert={FILE}&key={FILE}",
            Address(
                "rediss+sentinel",
                "h1",
                1,
                tls={"ca": FILE, "cert": FILE, "key": FILE},
                hosts=(("h1", 1),),
                service="p",
            ),
        ),
        ("redis+cluster://h1:7000,h2:7001", Address("redis+cluster", "h1", 7000, hosts=NODES)),
        ("redis+cluster://h1:7000,h1:7000,h2:7001/0?db=0", Address("redis+cluster", "h1", 7000, hosts=NODES)),
        ("redis+cluster://:pw@h", Address("redis+cluster", "h", password="pw", hosts=(("h", 6379),))),
        (
            f"rediss+cluster://h:1?ca={FILE}",
            Address("rediss+cluster", "h", 1, tls={"ca": FILE}, hosts=(("h", 1),)),
        ),
        ("embedded+sentinel://", Address("embedded+sentinel")),
        ("embedded+sentinel:///data/a%20b?db=1", Address("embedded+sentinel", path="/data/a b", database=1)),
        ("embedded+cluster://", Address("embedded+cluster", nodes=3, replicas=1)),
        (
            "embedded+cluster:///data?nodes=4&replicas=0",
            Address("embedded+cluster", path="/data", nodes=4, replicas=0),
        ),
    ],
)
def test_a_url_of_a_set_is_taken_apart(url: str, address: Address) -> None:
    assert read(url) == address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "redis+sentinel://me:s3cret@h1,h2:26380,[::1]:26379/primary?db=2&sentinel_password=s3cret",
            "redis+sentinel://me:***@h1:26379,h2:26380,[::1]:26379/primary?db=2",
        ),
        ("redis+cluster://:s3cret@h1:7000,h2:7001", "redis+cluster://:***@h1:7000,h2:7001"),
        ("embedded+cluster:///data", "embedded+cluster:///data?nodes=3&replicas=1"),
        ("embedded+sentinel:///data?db=1", "embedded+sentinel:///data?db=1"),
        ("redis://[::1]:7000", "redis://[::1]:7000/0"),
    ],
)
def test_it_is_shown_without_its_passwords(url: str, shown: str) -> None:
    address = read(url)
    assert str(address) == shown
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize(
    ("url", "kind", "is_embedded"),
    [
        ("redis://h", "server", False),
        ("unix:///s", "server", False),
        ("embedded://", "server", True),
        ("redis+sentinel://h/p", "sentinel", False),
        ("rediss+cluster://h", "cluster", False),
        ("embedded+sentinel://", "sentinel", True),
        ("embedded+cluster://", "cluster", True),
    ],
)
def test_each_is_of_a_kind(url: str, kind: str, is_embedded: bool) -> None:
    assert (read(url).kind, read(url).is_embedded) == (kind, is_embedded)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("redis+sentinel://u:a@h1,h2/p?db=1", "redis+sentinel://h2,h1/p", True),
        ("redis+sentinel://h1,h2/p", "redis+sentinel://h1,h2/q", False),
        ("redis+sentinel://h1,h2/p", "redis+sentinel://h1/p", False),
        ("redis+cluster://h1:1,h2:2", "redis+cluster://h2:2,h1:1", True),
        ("redis+cluster://h1:1", "redis://h1:1", False),
        ("redis+cluster://h1:1", "redis+sentinel://h1:1/p", False),
        ("embedded+cluster:///d", "embedded+cluster:///d", True),
        ("embedded+cluster:///d", "embedded+sentinel:///d", False),
        ("embedded://", "redis://localhost", False),
        ("redis://u:a@h/1", "rediss://h/2", True),
    ],
)
def test_two_name_one_set(one: str, other: str, is_same: bool) -> None:
    assert read(one).is_server_of(read(other)) is is_same


def test_a_node_of_a_set_is_a_plain_server_with_the_same_login() -> None:
    address = read("redis+sentinel://me:pw@h1,h2/p?db=2&sentinel_username=s&sentinel_password=sp")
    assert address.at("h9", 6380) == Address("redis", "h9", 6380, None, "me", "pw", 2)
    assert address.sentinels() == [
        Address("redis", "h1", 26379, username="s", password="sp"),
        Address("redis", "h2", 26379, username="s", password="sp"),
    ]
    secure = read(f"rediss+cluster://:pw@h1:7000?ca={FILE}")
    assert secure.at("::1", 7001) == Address("rediss", "::1", 7001, password="pw", tls={"ca": FILE})
    assert secure.sentinels() == []
    [sentinel] = read(f"rediss+sentinel://:pw@h1/p?ca={FILE}").sentinels()
    assert sentinel == Address("rediss", "h1", 26379, tls={"ca": FILE})


def test_the_environment_fills_what_the_url_leaves_open() -> None:
    address = read("redis+sentinel://h1,[::1]:2/p", REDIS_PASSWORD="pw", REDIS_DB="2")
    assert (address.password, address.database, address.hosts) == ("pw", 2, (("h1", 26379), ("::1", 2)))
    assert read("redis+cluster://h1:1,h2:2", REDIS_PASSWORD="pw", REDIS_DB="0").password == "pw"


def test_contradictions_are_refused() -> None:
    assert refusal("redis+sentinel://:one@h1,h2/p?db=1", REDIS_PASSWORD="two", REDIS_DB="2") == [
        "  - REDIS_PASSWORD and the password in REDIS_URL differ; give one of them",
        "  - REDIS_DB is 2 and REDIS_URL names database 1; give one of them",
    ]
    assert refusal("redis+cluster://h1", REDIS_DB="2") == ["  - REDIS_DB: a cluster has database 0 alone; got 2"]


SENTINEL = "expected redis+sentinel://host:26379/mymaster, with the name that `sentinel monitor` has given it"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis+sentinel://h1", f" does not name the primary; {SENTINEL}"),
        (
            "redis+sentinel://h1/0",
            f": its path is the name of the primary, and a database is given as ?db=0; {SENTINEL}",
        ),
        (
            "redis+sentinel://h1/p/0",
            ": its path must be the name of the primary (letters, digits, '.', '_' and '-'); " + SENTINEL,
        ),
        ("redis+sentinel:///p", " names no host; expected redis+sentinel://host:26379,host:26379"),
        ("redis+cluster://", " names no host; expected redis+cluster://host:6379,host:6379"),
        (
            "redis+cluster://h1:1,,h2:2",
            ": host 2 of 3 cannot be read; expected host, host:port or [IPv6]:port",
        ),
        (
            "redis+cluster://h1:1,::1:2",
            ": host 2 of 2 cannot be read; expected host, host:port or [IPv6]:port",
        ),
        (
            "redis+cluster://h1:one",
            ": host 1 of 1 cannot be read; expected host, host:port or [IPv6]:port",
        ),
        (
            "redis+cluster://h1:1,h2:0",
            ": the port of host 2 of 2 must be from 1 to 65535, or left out for 6379",
        ),
        ("redis+cluster://h1:70000", ": the port of host 1 of 1 must be from 1 to 65535, or left out for 6379"),
        ("redis+cluster://h1/2", ": a cluster has database 0 alone; got 2"),
        ("redis+cluster://h1?db=1", ": a cluster has database 0 alone; got 1"),
        ("redis+cluster://h1/p", ": database must be a whole number, 0 or more; got 'p'"),
        ("redis+cluster://h1#p", " has a '#' behind its hosts, which means nothing here; in a password it is %23"),
        ("redis+cluster://h1?slots=one", ": unknown URL option slots; known: db, ca, cert, key"),
        ("embedded+cluster://?nodes=2", ": nodes must be a whole number from 3 to 50; got '2'"),
        ("embedded+cluster://?replicas=one", ": replicas must be a whole number from 0 to 5; got 'one'"),
        ("embedded+cluster://?db=1", ": a cluster has database 0 alone; got 1"),
        ("embedded+sentinel://?nodes=3", ": unknown URL option nodes; known: db"),
        (
            "embedded+sentinel://data/x",
            ": embedded+sentinel:// takes no host; expected embedded+sentinel:// or "
            f"embedded+sentinel:///absolute/path; got embedded+sentinel://data/x: write embedded+sentinel://"
            f"{Path.cwd()}/data/x for this path in the working directory",
        ),
    ],
)
def test_a_wrong_url_is_refused_by_one_clear_error(url: str, problem: str) -> None:
    assert refusal(url) == [f"  - REDIS_URL{problem}"]


def test_files_of_tls_need_a_url_of_tls() -> None:
    assert refusal(f"redis+sentinel://h1/p?ca={FILE}") == [
        "  - REDIS_URL: ca need a rediss+sentinel:// URL; got 'redis+sentinel://…'"
    ]


@pytest.mark.parametrize(
    "secret", ["s3cret", "a/s3cret", "a#s3cret", "a?s3cret", "a@s3cret", "a,s3cret", "a&s3cret"]
)
@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:{}@h1:1,h2:x/p",
        "redis+sentinel://:{}@h1/p?a=1",
        "redis+sentinel://h1,u:{}@h2/0",
        "redis+sentinel://h1/p?sentinel_password={}&a=1",
        "redis+sentinel://h1/p/q?sentinel_password={}",
        "redis+cluster://:{}@h1,:{}@h2/7",
        "redis+cluster://:{}?a=1",
        "rediss+cluster://:{}@h1?ca=/no",
    ],
)
def test_a_refusal_shows_no_password(url: str, secret: str) -> None:
    assert "s3cret" not in "\n".join(refusal(url.replace("{}", secret)))


def test_a_login_of_each_host_is_refused() -> None:
    assert refusal("redis+cluster://u:p@h1:1,u:p@h2:2") == [
        "  - REDIS_URL has more than one '@' before its path: give the login once, before the first host, and "
        "'@' in a password as %40"
    ]


@pytest.mark.parametrize("url", ["embedded+cluster://", "embedded+sentinel:///data"])
def test_a_set_that_is_started_is_not_for_caches_alone(url: str) -> None:
    with pytest.raises(ConfigError, match=r"cache: embedded\+\w+:// starts the server of the queues"):
        Settings.load(cache=url, environ={}, dotenv=None)

"""Settings: where they come from, what is refused, and that no secret is shown."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import stockyard
from stockyard import ConfigError, Settings
from stockyard.config import Address
from stockyard.config.settings import KNOWN_VARIABLES
from stockyard.observe.alerts.default_rules import Thresholds

SECRETS = ["s3cret", "a/b", "a#b", "a?b", "a@b", "12/s3cret", "p%ss", "a:b"]


def load(redis: str | None = None, **environ: str) -> Settings:
    return Settings.load(redis, environ=environ, dotenv=None)


def test_nothing_given_is_the_local_server() -> None:
    settings = load()
    assert settings == Settings(Address("redis"), "bull", 5.0)
    assert str(settings.address) == "redis://localhost:6379/0"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h:7000/2", Address("redis", "h", 7000, database=2)),
        ("redis://:pw@h", Address("redis", "h", password="pw")),
        ("redis://me:p%40w%2F@h", Address("redis", "h", username="me", password="p@w/")),
        ("redis://[::1]:7000", Address("redis", "::1", 7000)),
        ("redis://h?db=3", Address("redis", "h", database=3)),
        (f"rediss://h?ca={__file__}", Address("rediss", "h", tls={"ca": __file__})),
        ("unix:///run/r.sock", Address("unix", path="/run/r.sock")),
        ("unix://:pw@/run/r.sock?db=1", Address("unix", path="/run/r.sock", password="pw", database=1)),
        ("embedded://", Address("embedded")),
        ("embedded:///data/here", Address("embedded", path="/data/here")),
    ],
)
def test_an_url_is_taken_apart(url: str, address: Address) -> None:
    assert load(url).address == address
    assert load(REDIS_URL=url).address == address


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("embedded://data", "data"),
        ("embedded://relative/path", "relative/path"),
        ("embedded://./x%20y", "x%20y"),
        ("embedded://data:1/x", "data%3A1/x"),
        ("unix://rel.sock", "rel.sock"),
        ("unix://run/r.sock", "run/r.sock"),
    ],
)
def test_a_url_of_a_path_takes_no_host(url: str, path: str) -> None:
    scheme = url.partition(":")[0]
    expected = {"unix": "unix:///absolute/path", "embedded": "embedded:// or embedded:///absolute/path"}[scheme]
    with pytest.raises(ConfigError) as wrong:
        load(url)
    lines = str(wrong.value).splitlines()
    assert lines[1:] == [
        f"  - redis: {scheme}:// takes no host; expected {expected}; got {url}: "
        f"write {scheme}://{Path.cwd()}/{path} for this path in the working directory"
    ]


def test_a_login_of_a_refused_path_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as wrong:
        load("embedded://me:secret@data/x")
    assert "got embedded://data/x" in str(wrong.value)
    assert "secret" not in str(wrong.value)


def test_arguments_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("REDIS_URL=redis://file\nREDIS_DB=4\nSTOCKYARD_PREFIX=file\nSTOCKYARD_CALL_TIMEOUT=7\n")
    environ = {"REDIS_URL": "redis://environment", "STOCKYARD_PREFIX": "environment"}

    from_file = Settings.load(environ={}, dotenv=file)
    assert (from_file.address.host, from_file.address.database) == ("file", 4)
    assert (from_file.prefix, from_file.call_timeout) == ("file", 7.0)
    from_both = Settings.load(environ=environ, dotenv=file)
    assert (from_both.address.host, from_both.prefix, from_both.call_timeout) == (
        "environment",
        "environment",
        7.0,
    )
    given = Settings.load("redis://argument", prefix="own", call_timeout=1, environ=environ, dotenv=file)
    assert (given.address.host, given.prefix, given.call_timeout) == ("argument", "own", 1.0)
    assert given.address.database == 0
    assert Settings.load(environ={}, dotenv=tmp_path / "none").address.host == "localhost"


def test_password_and_database_fill_what_the_url_leaves_open() -> None:
    address = load(REDIS_URL="redis://h", REDIS_PASSWORD="pw", REDIS_DB="2").address
    assert (address.password, address.database) == ("pw", 2)
    empty = load(REDIS_URL="", REDIS_PASSWORD="", REDIS_DB="").address
    assert (empty.host, empty.password, empty.database) == ("localhost", None, 0)


def test_every_wrong_value_is_named_in_one_message() -> None:
    with pytest.raises(ConfigError) as wrong:
        load(
            REDIS_URL="http://h",
            REDIS_DB="two",
            STOCKYARD_PREFIX="a b",
            STOCKYARD_CALL_TIMEOUT="soon",
        )
    text = str(wrong.value)
    assert text.startswith("4 wrong settings:")
    for part in (
        "scheme 'http' is not known",
        "REDIS_DB must be",
        "got 'two'",
        "prefix must be",
        "call_timeout must",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://h:port", "REDIS_URL"),
        ("redis://h:99999", "REDIS_URL"),
        ("redis://h/first", "database must be a whole number, 0 or more; got 'first'"),
        ("redis://h/-1", "database must be"),
        ("localhost:6379", "scheme"),
        ("nonsense", "scheme"),
        ("unix://", "needs the path of a socket"),
        ("redis://h?timeout=3", "unknown URL option timeout"),
        ("redis://h?ca=x", "need a rediss:// URL"),
        ("rediss://h?ca=/no/such/file", "ca must name a file that can be read; got '/no/such/file'"),
        ("rediss://h?cert=/", "cert must name a file"),
        (f"rediss://h?key={__file__}", "key belongs to a certificate; give its file as cert"),
        ("redis://[::1", "REDIS_URL"),
    ],
)
def test_a_wrong_url_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(REDIS_URL=url)
    assert said in str(wrong.value)


def test_contradictions_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)differ; give one.*REDIS_DB is 2 and REDIS_URL names database 1"
    ) as wrong:
        load(REDIS_URL="redis://:one@h/1", REDIS_PASSWORD="two", REDIS_DB="2")
    assert "one@" not in str(wrong.value)
    assert load(REDIS_URL="redis://:one@h/1", REDIS_PASSWORD="one", REDIS_DB="1").address.database == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "soon"])
def test_a_call_timeout_is_more_than_nothing(timeout: float) -> None:
    with pytest.raises(ConfigError, match="call_timeout must be seconds, more than 0"):
        Settings.load(call_timeout=timeout, environ={}, dotenv=None)


@pytest.mark.parametrize("prefix", ["", ":a", "a:", "a b", "a\n"])
def test_a_prefix_is_part_of_a_key(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix must be"):
        Settings.load(prefix=prefix, environ={}, dotenv=None)


@pytest.mark.parametrize(
    "url", ["redis://:{}@h", "redis://u:{}@h/0", "unix://:{}@/run/s", f"rediss://:{{}}@h?ca={__file__}"]
)
def test_no_password_is_shown(url: str) -> None:
    settings = load(url.format("s3cret"))
    assert settings.address.password == "s3cret"
    for text in (str(settings.address), repr(settings.address), repr(settings)):
        assert "s3cret" not in text


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "url", ["redis://:{}@h:port", "http://:{}@h", "redis://:{}@h/x", "redis://:{}@h?a=1", "redis://:{}@h?ca=1"]
)
def test_no_password_is_shown_in_an_error_even_if_its_characters_break_the_url(url: str, secret: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(REDIS_URL=url.format(secret))
    for part in {secret, *secret.replace("/", " ").replace("#", " ").replace("?", " ").replace("@", " ").split()}:
        if len(part) > 2:
            assert part not in str(wrong.value)


@pytest.mark.parametrize("secret", ["a/b", "a#b", "a?b", "12/s3cret", "12?s3cret", "12#s3cret"])
def test_a_password_that_must_be_encoded_is_not_taken_for_a_host(secret: str) -> None:
    with pytest.raises(ConfigError, match="percent-encoded") as wrong:
        load(REDIS_URL=f"redis://:{secret}@h:6379")
    assert "s3cret" not in str(wrong.value)


def test_a_second_server_and_a_budget_for_caches() -> None:
    plain = Settings.load(environ={}, dotenv=None)
    assert (plain.cache, plain.cache_bytes) == (None, None)
    given = {"CACHE_REDIS_URL": "redis://:secret@cache:6380", "STOCKYARD_CACHE_BYTES": "64MB"}
    told = Settings.load(environ=given, dotenv=None)
    assert told.cache is not None
    assert str(told.cache) == "redis://:***@cache:6380/0"
    assert told.cache_bytes == 64 * 2**20
    argued = Settings.load(environ=given, dotenv=None, cache="unix:///run/cache.sock", cache_bytes=1000)
    assert argued.cache is not None
    assert (argued.cache.path, argued.cache_bytes) == ("/run/cache.sock", 1000)


def test_wrong_cache_settings_are_named_together() -> None:
    given = {"CACHE_REDIS_URL": "embedded://", "STOCKYARD_CACHE_BYTES": "-5"}
    with pytest.raises(ConfigError, match="2 wrong settings") as raised:
        Settings.load(environ=given, dotenv=None)
    assert "CACHE_REDIS_URL: embedded://" in str(raised.value)
    assert "cache_bytes must be a whole number" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "trusts"), [(None, False), ("", False), ("0", False), ("1", True), (" 1 ", True)]
)
def test_a_server_is_trusted_only_by_a_clear_word(text: str | None, trusts: bool) -> None:
    given = {} if text is None else {"STOCKYARD_TRUST_SERVER": text}
    assert Settings.load(environ=given, dotenv=None).trust_server is trusts
    assert Settings.load(environ=given, dotenv=None, trust_server=not trusts).trust_server is not trusts


def test_a_doubtful_word_of_trust_is_refused() -> None:
    with pytest.raises(ConfigError, match="STOCKYARD_TRUST_SERVER must be 1 or 0; got 'maybe'"):
        load(STOCKYARD_TRUST_SERVER="maybe")


@pytest.mark.parametrize(
    ("url", "number", "database"),
    [("redis://h", "3", 3), ("redis://h/", "3", 3), ("redis://h/0", "0", 0), ("redis://h/0", "", 0)],
)
def test_a_database_of_0_is_one(url: str, number: str, database: int) -> None:
    assert load(REDIS_URL=url, REDIS_DB=number).address.database == database


@pytest.mark.parametrize(("url", "number"), [("redis://h/0", "3"), ("redis://h/3", "0"), ("redis://h?db=0", "3")])
def test_a_database_of_0_contradicts_another(url: str, number: str) -> None:
    with pytest.raises(ConfigError, match=r"REDIS_DB is . and REDIS_URL names database"):
        load(REDIS_URL=url, REDIS_DB=number)


def test_a_port_of_0_is_none() -> None:
    with pytest.raises(ConfigError, match="port must be from 1 to 65535"):
        load("redis://h:0")


def test_an_unknown_variable_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        load(STOCKYARD_PREFX="a", STOCKYARD_ALERT_FAILD="3", STOCKYARD_PREFIX="b", OTHER="c")
    said = [record.getMessage() for record in caplog.records if "unknown variable" in record.getMessage()]
    assert len(said) == 2
    assert "STOCKYARD_PREFX has no effect; did you mean 'STOCKYARD_PREFIX'" in said[0]
    assert "did you mean 'STOCKYARD_ALERT_FAILED'" in said[1]


def test_every_variable_that_is_read_is_known() -> None:
    named = {f"STOCKYARD_ALERT_{each.name.upper()}" for each in fields(Thresholds)}
    for file in Path(stockyard.__file__).parent.rglob("*.py"):
        text = file.read_text()
        named |= set(re.findall(r"STOCKYARD_[A-Z_]*[A-Z]\b", text))
        named |= {f"STOCKYARD_ALERT_{each}" for each in re.findall(r"\{_PREFIX\}([A-Z_]+)", text)}
    assert named - {"STOCKYARD_ALERT"} == set(KNOWN_VARIABLES)

"""Settings of one process: defaults < ``.env`` file < environment < arguments, checked together."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from stockyard.errors import ConfigError, suggestion
from stockyard.model import checks

DEFAULT_URL = "redis://localhost:6379"
_SCHEMES = ("redis", "rediss", "unix", "embedded")
KNOWN_VARIABLES = (
    *("STOCKYARD_PREFIX", "STOCKYARD_CALL_TIMEOUT", "STOCKYARD_CACHE_BYTES", "STOCKYARD_TRUST_SERVER"),
    *("STOCKYARD_SERVER", "STOCKYARD_SERVER_ALLOCATOR", "STOCKYARD_APP"),
    *("STOCKYARD_ALERT_WEBHOOK", "STOCKYARD_ALERT_APPRISE", "STOCKYARD_ALERT_INTERVAL"),
    *("STOCKYARD_ALERT_WAITING", "STOCKYARD_ALERT_FAILED", "STOCKYARD_ALERT_ACTIVE", "STOCKYARD_ALERT_MEMORY"),
    *("STOCKYARD_ALERT_OLDEST_WAITING", "STOCKYARD_ALERT_SCHEDULE_LATE", "STOCKYARD_ALERT_NO_WORKER"),
)
"""Every variable of the environment that begins with ``STOCKYARD_`` and is read anywhere."""

_log = logging.getLogger(__name__)
_warned: set[str] = set()
_HOST = re.compile(r"[^:/?#]*://([^/?#]*)")
_TLS_OPTIONS = ("ca", "cert", "key")
_SIZE = re.compile(r"(\d+)\s*(kb|mb|gb|b)?")
_UNITS = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, taken apart.

    Attributes:
        scheme: ``redis``, ``rediss`` (TLS), ``unix`` or ``embedded``.
        host, port: for ``redis`` and ``rediss``.
        path: the socket of ``unix``, the data folder of ``embedded`` (None: the user's default).
        username, password: credentials, or None.
        database: number, from 0.
        tls: files for ``rediss``: ``ca``, ``cert``, ``key``.
    """

    scheme: str
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: Mapping[str, str] = field(default_factory=dict)

    def is_server_of(self, other: Address) -> bool:
        """Say whether both name one server, whatever the login and the database."""
        return (self.host, self.port, self.path) == (other.host, other.port, other.path)

    def __str__(self) -> str:
        """Return the URL with its password masked, fit for logs."""
        user = f"{self.username or ''}:***@" if self.password else f"{self.username}@" if self.username else ""
        if self.scheme in ("unix", "embedded"):
            return f"{self.scheme}://{user}{self.path or ''}" + (f"?db={self.database}" if self.database else "")
        return f"{self.scheme}://{user}{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know to reach its server.

    Attributes:
        address: where the server is. Defaults to ``redis://localhost:6379``.
        prefix: first part of every key. Defaults to ``bull``, BullMQ's own.
        call_timeout: seconds of silence from the server after which a call fails. Defaults to 5.
        cache: a second server, for caches alone, which evicts by itself; or the first one by another login.
            Defaults to None: caches live on the first, within a budget.
        cache_bytes: that budget. Defaults to None: a quarter of the server's ``maxmemory``, else 256 MB, and none
            on a second server.
        trust_server: what the server hides of itself is as it should be; you have checked it. Defaults to False.
    """

    address: Address
    prefix: str = "bull"
    call_timeout: float = 5.0
    cache: Address | None = None
    cache_bytes: int | None = None
    trust_server: bool = False

    @classmethod
    def load(
        cls,
        redis: str | None = None,
        *,
        prefix: str | None = None,
        call_timeout: float | None = None,
        cache: str | None = None,
        cache_bytes: int | str | None = None,
        trust_server: bool | None = None,
        environ: Mapping[str, str] | None = None,
        dotenv: Path | str | None = ".env",
    ) -> Settings:
        """Read the settings of this process.

        Args:
            redis: URL that wins over ``REDIS_URL``; credentials come then from the URL alone.
            prefix: wins over ``STOCKYARD_PREFIX``.
            call_timeout: seconds; wins over ``STOCKYARD_CALL_TIMEOUT``.
            cache: URL of a server for caches alone; wins over ``CACHE_REDIS_URL``.
            cache_bytes: a number, or text such as ``"64mb"``; wins over ``STOCKYARD_CACHE_BYTES``.
            trust_server: wins over ``STOCKYARD_TRUST_SERVER`` (``1`` or ``0``).
            environ: defaults to the process environment.
            dotenv: file of defaults below the environment; None reads none. Defaults to ``.env``.

        Raises:
            ConfigError: one message that names every wrong value.
        """
        given = read_environment(environ, dotenv)
        problems: list[str] = []
        if redis is None:
            address = _address(given.get("REDIS_URL") or DEFAULT_URL, "REDIS_URL", problems)
            address = _with_credentials(address, given, problems)
        else:
            address = _address(redis, "redis", problems)
        name = prefix if prefix is not None else given.get("STOCKYARD_PREFIX") or "bull"
        if not checks.is_text(name) or name != name.strip(":") or any(each.isspace() for each in name):
            problems.append(
                "prefix must be text without spaces, lone surrogates, and ':' at its ends; "
                f"got {checks.shown(name)}"
            )
        timeout = _seconds(call_timeout, given.get("STOCKYARD_CALL_TIMEOUT"), problems)
        second = cache if cache is not None else given.get("CACHE_REDIS_URL") or None
        cache_address = _cache_address(second, "CACHE_REDIS_URL" if cache is None else "cache", problems)
        budget = _bytes(cache_bytes if cache_bytes is not None else given.get("STOCKYARD_CACHE_BYTES"), problems)
        trust = trust_server
        if trust is None:
            trust = _yes_or_no(given.get("STOCKYARD_TRUST_SERVER"), "STOCKYARD_TRUST_SERVER", problems)
        if problems:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            raise ConfigError(f"{len(problems)} wrong setting{'s' if len(problems) > 1 else ''}:\n{lines}")
        return cls(address, name, timeout, cache_address, budget, trust)


def read_environment(
    environ: Mapping[str, str] | None = None, dotenv: Path | str | None = ".env"
) -> dict[str, str]:
    """Return the variables of this process, those of the ``.env`` file below them.

    Each ``STOCKYARD_…`` that nothing reads is warned of once in a process.
    """
    given = {**_file_values(dotenv), **(os.environ if environ is None else environ)}
    for name in given:
        if name.startswith("STOCKYARD_") and name not in KNOWN_VARIABLES and name not in _warned:
            _warned.add(name)
            _log.warning("unknown variable %s has no effect%s", name, suggestion(name, KNOWN_VARIABLES))
    return given


def _file_values(dotenv: Path | str | None) -> dict[str, str]:
    if dotenv is None or not Path(dotenv).is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(dotenv).items() if value is not None}


def _address(url: str, name: str, problems: list[str]) -> Address:
    # Nothing of a URL that cannot be read is quoted: any part of it may be a part of the password.
    if not isinstance(url, str):
        problems.append(f"{name} must be a URL as text, such as {DEFAULT_URL}; got {type(url).__name__}")
        return Address("redis")
    if "://" not in url:
        problems.append(f"{name} has no scheme; expected one of {', '.join(f'{each}://' for each in _SCHEMES)}")
        return Address("redis")
    host = _HOST.match(url)
    if host and host[1] and "@" in url[host.end() :]:
        problems.append(
            f"{name} has an '@' behind its host: characters such as '/', '?', '#' and '@' in a password must be "
            "percent-encoded (%2F, %3F, %23, %40), or the password given as REDIS_PASSWORD"
        )
        return Address("redis")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        problems.append(f"{name} is no URL that can be read; expected redis://user:password@host:port/0")
        return Address("redis")
    if port == 0:
        problems.append(f"{name}: port must be from 1 to 65535, or left out for 6379; got 0")
    if parts.scheme not in _SCHEMES:
        later = parts.scheme in ("redis+sentinel", "redis+cluster")
        why = "is not supported by this version" if later else "is not known"
        problems.append(
            f"{name}: scheme {parts.scheme!r} {why}; expected one of "
            f"{', '.join(f'{each}://' for each in _SCHEMES)}; got {_shown(parts)!r}"
        )
        return Address("redis")
    query = dict(parse_qsl(parts.query))
    database = _database_number(_database_text(parts, query), f"{name}: database", problems)
    tls = {option: query[option] for option in _TLS_OPTIONS if option in query}
    unknown = sorted(query.keys() - {"db", *_TLS_OPTIONS})
    if unknown:
        problems.append(f"{name}: unknown URL option {', '.join(unknown)}; known: db, {', '.join(_TLS_OPTIONS)}")
    if tls and parts.scheme != "rediss":
        problems.append(f"{name}: {', '.join(tls)} need a rediss:// URL; got {_shown(parts)!r}")
    for option, path in tls.items():
        if not Path(path).is_file() or not os.access(path, os.R_OK):
            problems.append(f"{name}: {option} must name a file that can be read; got {path!r}")
    if "key" in tls and "cert" not in tls:
        problems.append(f"{name}: key belongs to a certificate; give its file as cert")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if parts.scheme in ("unix", "embedded"):
        if stray_host := parts.netloc.rpartition("@")[2]:
            problems.append(_host_refused(parts, stray_host, name))
        elif parts.scheme == "unix" and not parts.path:
            problems.append(f"{name}: unix:// needs the path of a socket, as in unix:///run/redis.sock")
        return Address(
            parts.scheme, path=unquote(parts.path) or None, username=username, password=password, database=database
        )
    return Address(
        parts.scheme, parts.hostname or "localhost", port or 6379, None, username, password, database, tls
    )


def _host_refused(parts: SplitResult, host: str, name: str) -> str:
    expected = "unix:///absolute/path" if parts.scheme == "unix" else "embedded:// or embedded:///absolute/path"
    path = Path(unquote(host + parts.path)).absolute()
    return (
        f"{name}: {parts.scheme}:// takes no host; expected {expected}; got {_shown(parts)}{parts.path}: "
        f"write {parts.scheme}://{quote(str(path))} for this path in the working directory"
    )


def _database_text(parts: SplitResult, query: Mapping[str, str]) -> str:
    return query.get("db") or (parts.path.strip("/") if parts.scheme in ("redis", "rediss") else "")


def _database_number(text: str, name: str, problems: list[str]) -> int:
    if text and not text.isdecimal():
        problems.append(f"{name} must be a whole number, 0 or more; got {text!r}")
        return 0
    return int(text or 0)


def _with_credentials(address: Address, given: Mapping[str, str], problems: list[str]) -> Address:
    """REDIS_PASSWORD and REDIS_DB fill what the URL leaves open; a contradiction is refused."""
    password = given.get("REDIS_PASSWORD") or None
    text = (given.get("REDIS_DB") or "").strip()
    database = _database_number(text, "REDIS_DB", problems)
    named = _names_database(given.get("REDIS_URL") or DEFAULT_URL)
    if password and address.password and password != address.password:
        problems.append("REDIS_PASSWORD and the password in REDIS_URL differ; give one of them")
    if text and named and database != address.database:
        problems.append(
            f"REDIS_DB is {database} and REDIS_URL names database {address.database}; give one of them"
        )
    return Address(
        address.scheme,
        address.host,
        address.port,
        address.path,
        address.username,
        address.password or password,
        address.database if named else database,
        address.tls,
    )


def _names_database(url: str) -> bool:
    """Say whether a URL names a database; 0 is one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(_database_text(parts, dict(parse_qsl(parts.query))))


def _seconds(argument: float | None, text: str | None, problems: list[str]) -> float:
    given: float | str = argument if argument is not None else text or 5.0
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 < value < float("inf"):
        problems.append(f"call_timeout must be seconds, more than 0; got {given!r}")
        return 5.0
    return value


def _cache_address(url: str | None, name: str, problems: list[str]) -> Address | None:
    if url is None:
        return None
    address = _address(url, name, problems)
    if address.scheme == "embedded":
        problems.append(f"{name}: embedded:// starts the server of the queues; name one that runs, or none")
    return address


def _bytes(given: int | str | None, problems: list[str]) -> int | None:
    if given is None or given == "":
        return None
    match = _SIZE.fullmatch(str(given).strip().lower())
    if match is None or isinstance(given, bool):
        problems.append(
            f"cache_bytes must be a whole number, alone or with kb, mb or gb, as in '64mb'; got {given!r}"
        )
        return None
    return int(match[1]) * _UNITS[match[2] or ""]


def _yes_or_no(text: str | None, name: str, problems: list[str]) -> bool:
    if (flag := (text or "0").strip()) not in ("0", "1"):
        problems.append(f"{name} must be 1 or 0; got {text!r}")
    return flag == "1"


def _shown(parts: SplitResult) -> str:
    """Return the scheme and the host: login, path and query of a foreign URL may all hold secrets."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

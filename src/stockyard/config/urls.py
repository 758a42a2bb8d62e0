"""Reads the URL of a server, a Sentinel set or a cluster; a refusal shows no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from stockyard.config.address import Address

DEFAULT_URL = "redis://localhost:6379"
CLUSTER_DATABASE = "a cluster has database 0 alone"

_SINGLE = ("redis", "rediss", "unix", "embedded")
_SETS = tuple(f"{each}+{kind}" for kind in ("sentinel", "cluster") for each in ("redis", "rediss", "embedded"))
_SCHEMES = (*_SINGLE, *_SETS)
_KNOWN_SCHEMES = ", ".join(f"{each}://" for each in _SCHEMES)
_PORTS = {"sentinel": 26379, "cluster": 6379}
_HEAD = re.compile(r"([^:/?#]*)://([^/?#]*)")
_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\[\]:,@%\s]+))(?::(\d{1,5}))?")
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")
_TLS_OPTIONS = ("ca", "cert", "key")
_LOGIN_OPTIONS = ("sentinel_username", "sentinel_password")
SET_SIZES = {"nodes": (3, 3, 50), "replicas": (1, 0, 5)}
"""Of a cluster: what is started without the option, the fewest and the most; three primaries can elect one."""


def read_address(url: str, name: str, problems: list[str]) -> Address:
    """Take a URL apart.

    Args:
        url: what was given; any value, as it comes from programs.
        name: of the argument or variable, for the messages.
        problems: gets one message for each part that cannot be used. Nothing of a URL that cannot be read is
            quoted: any part of it may be a part of the password.

    Returns:
        The address, or as much of it as could be read.
    """
    if not isinstance(url, str):
        problems.append(f"{name} must be a URL as text, such as {DEFAULT_URL}; got {type(url).__name__}")
        return Address("redis")
    if "://" not in url:
        problems.append(f"{name} has no scheme; expected one of {_KNOWN_SCHEMES}")
        return Address("redis")
    head = _HEAD.match(url)
    if head and head[2] and "@" in url[head.end() :]:
        problems.append(
            f"{name} has an '@' behind its host: characters such as '/', '?', '#' and '@' in a password must be "
            "percent-encoded (%2F, %3F, %23, %40), or the password given as REDIS_PASSWORD"
        )
        return Address("redis")
    try:
        parts, hosts = _split(url)
        port = parts.port
    except ValueError:
        problems.append(f"{name} is no URL that can be read; expected redis://user:password@host:port/0")
        return Address("redis")
    if parts.scheme not in _SCHEMES:
        problems.append(
            f"{name}: scheme {parts.scheme!r} is not known; expected one of {_KNOWN_SCHEMES}; "
            f"got {_shown(parts)!r}"
        )
        return Address("redis")
    if port == 0:
        problems.append(f"{name}: port must be from 1 to 65535, or left out for 6379; got 0")
    return (_plain if parts.scheme in _SINGLE else _set)(parts, hosts, name, problems)


def names_database(url: str) -> bool:
    """Say whether a URL names a database; 0 is one."""
    try:
        parts, _ = _split(url)
    except ValueError:
        return False
    return bool(_database_text(parts, _query(parts)))


def read_number(text: str, name: str, problems: list[str]) -> int:
    """Return a whole number from 0, which no text is."""
    if text and not (text.isascii() and text.isdecimal()):
        problems.append(f"{name} must be a whole number, 0 or more; got {text!r}")
        return 0
    return int(text or 0)


def _split(url: str) -> tuple[SplitResult, str]:
    """Split a URL; of a set's, several hosts are returned beside it, and a single one stands in their place."""
    head = _HEAD.match(url)
    if head is None or head[1].lower() not in _SETS:
        return urlsplit(url), ""
    login, at, hosts = head[2].rpartition("@")
    return urlsplit(f"{head[1]}://{login}{at}{'hosts' if hosts else ''}{url[head.end() :]}"), hosts


def _query(parts: SplitResult) -> dict[str, str]:
    # Here a plus sign is one, as in a password, and no space of a form.
    return dict(parse_qsl(parts.query.replace("+", "%2B")))


def _plain(parts: SplitResult, _: str, name: str, problems: list[str]) -> Address:
    query = _query(parts)
    database = read_number(_database_text(parts, query), f"{name}: database", problems)
    _refuse_unknown(parts, query, ("db", *_TLS_OPTIONS), name, problems)
    tls = _tls(parts, query, _shown(parts), name, problems)
    username, password = _login(parts)
    if parts.scheme in ("unix", "embedded"):
        if stray_host := parts.netloc.rpartition("@")[2]:
            problems.append(_host_refused(parts, stray_host, name))
        elif parts.scheme == "unix" and not parts.path:
            problems.append(f"{name}: unix:// needs the path of a socket, as in unix:///run/redis.sock")
        return Address(
            parts.scheme, path=unquote(parts.path) or None, username=username, password=password, database=database
        )
    return Address(
        parts.scheme, parts.hostname or "localhost", parts.port or 6379, None, username, password, database, tls
    )


def _set(parts: SplitResult, hosts: str, name: str, problems: list[str]) -> Address:
    first, _, kind = parts.scheme.partition("+")
    if first != "embedded" and "@" in parts.netloc.rpartition("@")[0]:
        problems.append(
            f"{name} has more than one '@' before its path: give the login once, before the first host, and "
            "'@' in a password as %40"
        )
        return Address("redis")
    seeds: list[tuple[str, int]] = []
    if first != "embedded":
        seeds = _hosts(hosts, parts.scheme, _PORTS[kind], name, problems)
        if not seeds:
            return Address("redis")
    query = _query(parts)
    known = (
        "db",
        *(_TLS_OPTIONS if first != "embedded" else ()),
        *(_LOGIN_OPTIONS if first != "embedded" and kind == "sentinel" else ()),
        *(SET_SIZES if first == "embedded" and kind == "cluster" else ()),
    )
    _refuse_unknown(parts, query, known, name, problems)
    database = read_number(_database_text(parts, query), f"{name}: database", problems)
    if database and kind == "cluster":
        problems.append(f"{name}: {CLUSTER_DATABASE}; got {database}")
        database = 0
    username, password = _login(parts)
    if first == "embedded":
        if hosts:
            problems.append(_host_refused(parts, hosts, name))
        is_cluster = kind == "cluster"
        return Address(
            parts.scheme,
            path=unquote(parts.path) or None,
            username=username,
            password=password,
            database=database,
            nodes=_size(query, "nodes", name, problems) if is_cluster else 0,
            replicas=_size(query, "replicas", name, problems) if is_cluster else 0,
        )
    if parts.fragment:
        problems.append(f"{name} has a '#' behind its hosts, which means nothing here; in a password it is %23")
    return Address(
        parts.scheme,
        *seeds[0],
        username=username,
        password=password,
        database=database,
        tls=_tls(parts, query, f"{parts.scheme}://…", name, problems),
        hosts=tuple(seeds),
        service=_service(parts, name, problems) if kind == "sentinel" else "",
        sentinel_username=query.get("sentinel_username"),
        sentinel_password=query.get("sentinel_password"),
    )


def _hosts(text: str, scheme: str, port: int, name: str, problems: list[str]) -> list[tuple[str, int]]:
    """Return the hosts of a list, each once; none if one of them cannot be used."""
    if not text:
        problems.append(f"{name} names no host; expected {scheme}://host:{port},host:{port}")
        return []
    found: dict[tuple[str, int], None] = {}
    before = len(problems)
    parts = text.split(",")
    for number, part in enumerate(parts, 1):
        match = _HOST_AND_PORT.fullmatch(part)
        if match is None:
            problems.append(
                f"{name}: host {number} of {len(parts)} cannot be read; expected host, host:port or [IPv6]:port"
            )
        elif match[3] and not 1 <= int(match[3]) <= 65535:
            problems.append(
                f"{name}: the port of host {number} of {len(parts)} must be from 1 to 65535, "
                f"or left out for {port}"
            )
        else:
            found[(match[1] or match[2]).lower(), int(match[3] or port)] = None
    return list(found) if len(problems) == before else []


def _service(parts: SplitResult, name: str, problems: list[str]) -> str:
    service = unquote(parts.path.strip("/"))
    expected = f"expected {parts.scheme}://host:26379/mymaster, with the name that `sentinel monitor` has given it"
    if not service:
        problems.append(f"{name} does not name the primary; {expected}")
    elif service.isdecimal():
        problems.append(
            f"{name}: its path is the name of the primary, and a database is given as ?db={service}; {expected}"
        )
    elif not _SERVICE.fullmatch(service):
        problems.append(
            f"{name}: its path must be the name of the primary (letters, digits, '.', '_' and '-'); {expected}"
        )
    return service


def _size(query: Mapping[str, str], option: str, name: str, problems: list[str]) -> int:
    default, least, most = SET_SIZES[option]
    text = query.get(option) or str(default)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        problems.append(f"{name}: {option} must be a whole number from {least} to {most}; got {text!r}")
        return default
    return int(text)


def _refuse_unknown(
    parts: SplitResult, query: Mapping[str, str], known: Sequence[str], name: str, problems: list[str]
) -> None:
    unknown = sorted(query.keys() - set(known))
    if unknown:
        # Behind an '&' that is not encoded, the rest of a password would look like an option.
        named = "" if "sentinel_password" in parts.query else f" {', '.join(unknown)}"
        problems.append(f"{name}: unknown URL option{named}; known: {', '.join(known)}")


def _tls(
    parts: SplitResult, query: Mapping[str, str], shown: str, name: str, problems: list[str]
) -> dict[str, str]:
    tls = {option: query[option] for option in _TLS_OPTIONS if option in query}
    if tls and not parts.scheme.startswith("rediss"):
        _, plus, kind = parts.scheme.partition("+")
        problems.append(f"{name}: {', '.join(tls)} need a rediss{plus}{kind}:// URL; got {shown!r}")
    for option, path in tls.items():
        if not Path(path).is_file() or not os.access(path, os.R_OK):
            problems.append(f"{name}: {option} must name a file that can be read; got {path!r}")
    if "key" in tls and "cert" not in tls:
        problems.append(f"{name}: key belongs to a certificate; give its file as cert")
    return tls


def _login(parts: SplitResult) -> tuple[str | None, str | None]:
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return username, password


def _host_refused(parts: SplitResult, host: str, name: str) -> str:
    scheme = parts.scheme
    expected = "unix:///absolute/path" if scheme == "unix" else f"{scheme}:// or {scheme}:///absolute/path"
    path = Path(unquote(host + parts.path)).absolute()
    return (
        f"{name}: {scheme}:// takes no host; expected {expected}; got {scheme}://{host}{parts.path}: "
        f"write {scheme}://{quote(str(path))} for this path in the working directory"
    )


def _database_text(parts: SplitResult, query: Mapping[str, str]) -> str:
    in_path = parts.scheme in ("redis", "rediss", "redis+cluster", "rediss+cluster")
    return query.get("db") or (parts.path.strip("/") if in_path else "")


def _shown(parts: SplitResult) -> str:
    """Return the scheme and the host: login, path and query of a foreign URL may all hold secrets."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

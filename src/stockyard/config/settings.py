"""Settings of one process: defaults < ``.env`` file < environment < arguments, checked together."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stockyard._suggestion import suggestion
from stockyard.config.address import Address
from stockyard.config.urls import CLUSTER_DATABASE, DEFAULT_URL, names_database, read_address, read_number
from stockyard.config.variables import VARIABLES
from stockyard.errors import ConfigError
from stockyard.model import checks
from stockyard.model.naming import Naming, Slots

KNOWN_VARIABLES = tuple(each.name for each in VARIABLES if each.name.startswith("STOCKYARD_"))
"""Every variable of the environment that begins with ``STOCKYARD_`` and is read anywhere."""

_log = logging.getLogger(__name__)
_warned: set[str] = set()
_SIZE = re.compile(r"(\d+)\s*(kb|mb|gb|b)?")
_UNITS = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


class Settings(msgspec.Struct, frozen=True):
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
        egress: the address that exchanges see of this process, by which limits of scope ``ip`` count. Defaults to
            ``default``: all processes share it.
    """

    address: Address
    prefix: str = "bull"
    call_timeout: float = 5.0
    cache: Address | None = None
    cache_bytes: int | None = None
    trust_server: bool = False
    egress: str = "default"

    def naming(self, slots: Slots | None) -> Naming:
        """Return how keys are spelled; a cluster needs slots, ``family`` unless a topology chooses others."""
        return Naming(self.prefix, "family" if slots is None and self.address.kind == "cluster" else slots)

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
            address = read_address(given.get("REDIS_URL") or DEFAULT_URL, "REDIS_URL", problems)
            address = _with_credentials(address, given, problems)
        else:
            address = read_address(redis, "redis", problems)
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
        egress = given.get("STOCKYARD_EGRESS") or "default"
        return cls(address, name, timeout, cache_address, budget, trust, egress)


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


def _with_credentials(address: Address, given: Mapping[str, str], problems: list[str]) -> Address:
    """REDIS_PASSWORD and REDIS_DB fill what the URL leaves open; a contradiction is refused."""
    password = given.get("REDIS_PASSWORD") or None
    text = (given.get("REDIS_DB") or "").strip()
    database = read_number(text, "REDIS_DB", problems)
    named = names_database(given.get("REDIS_URL") or DEFAULT_URL)
    if password and address.password and password != address.password:
        problems.append("REDIS_PASSWORD and the password in REDIS_URL differ; give one of them")
    if text and named and database != address.database:
        problems.append(
            f"REDIS_DB is {database} and REDIS_URL names database {address.database}; give one of them"
        )
    if database and not named and address.kind == "cluster":
        problems.append(f"REDIS_DB: {CLUSTER_DATABASE}; got {database}")
    return address._replace(
        password=address.password or password,
        database=address.database if named else database,
    )


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
    address = read_address(url, name, problems)
    if address.is_embedded:
        problems.append(
            f"{name}: {address.scheme}:// starts the server of the queues; name one that runs, or none"
        )
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

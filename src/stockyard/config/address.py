"""Where a server, a Sentinel set or a cluster is, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["server", "sentinel", "cluster"]


class Address(NamedTuple):
    """Where the server is, taken apart.

    Attributes:
        scheme: ``redis``, ``rediss`` (TLS), ``unix`` or ``embedded``; the first two and the last also with
            ``+sentinel`` or ``+cluster``.
        host, port: for ``redis`` and ``rediss``; of several hosts, the first.
        path: the socket of ``unix``, the data folder of ``embedded`` (None: the user's default).
        username, password: credentials, or None.
        database: number, from 0.
        tls: files for ``rediss``: ``ca``, ``cert``, ``key``.
        hosts: where the Sentinels are, or the cluster's nodes to ask first; empty for a single server.
        service: the name of the primary at the Sentinels; else empty.
        sentinel_username, sentinel_password: credentials at the Sentinels, or None.
        nodes, replicas: how many primaries an ``embedded+cluster`` has, and how many replicas each of them.
    """

    scheme: str
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    username: str | None = None
    password: str | None = None
    database: int = 0
    tls: Mapping[str, str] = {}
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    nodes: int = 0
    replicas: int = 0

    @property
    def kind(self) -> Kind:
        """What answers there: one server, a Sentinel set or a cluster."""
        _, _, set_of = self.scheme.partition("+")
        return "sentinel" if set_of == "sentinel" else "cluster" if set_of == "cluster" else "server"

    @property
    def is_embedded(self) -> bool:
        """Whether this process starts it, if need be."""
        return self.scheme.partition("+")[0] == "embedded"

    def is_server_of(self, other: Address) -> bool:
        """Say whether both name one server or one set of servers, whatever the login and the database."""
        return self._place == other._place

    def at(self, host: str, port: int) -> Address:
        """Return the address of one node: a plain server, with the same login, database and TLS."""
        scheme = "rediss" if self.scheme.startswith("rediss") else "redis"
        return Address(scheme, host, port, None, self.username, self.password, self.database, self.tls)

    def sentinels(self) -> list[Address]:
        """Return the address of each Sentinel, with the Sentinels' login and the same TLS."""
        if self.kind != "sentinel":
            return []
        return [
            self.at(host, port)._replace(
                username=self.sentinel_username,
                password=self.sentinel_password,
                database=0,
            )
            for host, port in self.hosts
        ]

    @property
    def _place(self) -> tuple[object, ...]:
        where = frozenset(self.hosts) if self.hosts else (self.host, self.port)
        return self.kind, self.is_embedded, where, self.path, self.service

    def __str__(self) -> str:
        """Return the URL with its passwords masked, fit for logs."""
        user = f"{self.username or ''}:***@" if self.password else f"{self.username}@" if self.username else ""
        database = f"db={self.database}" if self.database else ""
        if self.scheme == "unix" or self.is_embedded:
            size = f"nodes={self.nodes}&replicas={self.replicas}" if self.kind == "cluster" else ""
            return _with_options(f"{self.scheme}://{user}{self.path or ''}", size, database)
        if self.kind == "server":
            return f"{self.scheme}://{user}{_joined(self.host, self.port)}/{self.database}"
        hosts = ",".join(_joined(host, port) for host, port in self.hosts)
        name = f"/{self.service}" if self.service else ""
        return _with_options(f"{self.scheme}://{user}{hosts}{name}", database)

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _with_options(url: str, *options: str) -> str:
    given = "&".join(filter(None, options))
    return f"{url}?{given}" if given else url

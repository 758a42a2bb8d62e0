"""The connections of this process to one server and prefix, shared by the objects that use them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from stockyard.app import App
from stockyard.config import Settings
from stockyard.model.fixed import Fixed
from stockyard.produce.queue import Queue as EngineQueue
from stockyard.topology import QueueSpec, Topology

_ANY = QueueSpec.declare("any", remove_on_complete=False, remove_on_fail=False, check=False)


def undeclared(name: str) -> QueueSpec:
    """Return a queue as the port has them: of any name, without defaults, its jobs kept for ever."""
    return replace(_ANY, name=name)


class OpenTopology(Topology):
    """Queues that need no declaration: each is there when it is named."""

    def spec(self, name: str) -> QueueSpec:
        """Return the queue of that name."""
        name = str(name)
        spec = self._queues.get(name)
        if spec is None:
            # Every call asks for its queue, and a spec takes longer to make than an add.
            spec = self._queues[name] = undeclared(name)
        return spec


class _OpenApp:
    """An App, and how many objects use it."""

    def __init__(self, url: str, prefix: str) -> None:
        settings = Settings.load(url, prefix=prefix)
        self.app = App(OpenTopology("bullmq"), settings=settings)
        self.users = 0


_Apps = dict[tuple[str, str], _OpenApp]
_without_loop: _Apps = {}
_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Apps] = WeakKeyDictionary()


def _apps_here() -> _Apps:
    """Return the Apps of the running loop: what one loop leaves open must not be in the way of the next."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _without_loop
    return _of_loops.setdefault(loop, {})


class Share(Fixed):
    """One object's share in the connections; ``close`` gives it back, and the last one closes them.

    Args:
        opts: the object's options: ``connection`` and ``prefix``.
    """

    def __init__(self, opts: Mapping[str, Any]) -> None:
        self.prefix: str = opts.get("prefix") or "bull"
        self._key = (url_of(opts.get("connection")), self.prefix)
        self._apps = _apps_here()
        self._open_app = self._apps.get(self._key) or _OpenApp(*self._key)
        self._apps[self._key] = self._open_app
        self._open_app.users += 1
        self._is_open = True
        self._is_made = True

    @property
    def app(self) -> App:
        """The App that holds the connections."""
        return self._open_app.app

    def queue(self, name: str) -> EngineQueue:
        """Return a queue of the engine."""
        return self.app.queue(name)

    async def close(self) -> None:
        """Give the share back; closing twice is fine."""
        if not self._is_open:
            return
        self._is_open = False
        self._open_app.users -= 1
        if not self._open_app.users:
            if self._apps.get(self._key) is self._open_app:
                del self._apps[self._key]
            await self.app.aclose()


def url_of(connection: Any) -> str:
    """Return the URL of a server.

    Args:
        connection: a URL, the keyword arguments of redis-py's ``Redis``, or such a client, whose server is used
            by connections of our own. None is ``redis://localhost:6379``.
    """
    if isinstance(connection, str):
        return connection
    pool = getattr(connection, "connection_pool", None)
    given: Mapping[str, Any] = getattr(pool, "connection_kwargs", None) or connection or {}
    username, password = given.get("username"), given.get("password")
    login = ""
    if password:
        login = f"{quote(str(username or ''), safe='')}:{quote(str(password), safe='')}@"
    if path := given.get("unix_socket_path") or given.get("path"):
        return f"unix://{login}{quote(str(path))}?db={given.get('db') or 0}"
    files = {"ca": given.get("ssl_ca_certs"), "cert": given.get("ssl_certfile"), "key": given.get("ssl_keyfile")}
    query = "&".join(f"{name}={quote(str(path))}" for name, path in files.items() if path)
    is_tls = given.get("ssl") or "SSL" in getattr(getattr(pool, "connection_class", None), "__name__", "")
    host = str(given.get("host") or "localhost")
    place = f"[{host}]" if ":" in host else host
    url = f"{'rediss' if is_tls else 'redis'}://{login}{place}:{given.get('port') or 6379}/{given.get('db') or 0}"
    return f"{url}?{query}" if query and is_tls else url

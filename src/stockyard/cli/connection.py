"""The options by which a command finds its queues and their server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from stockyard.app import App
from stockyard.cli.display import about
from stockyard.cli.options import WHERE, Prefix, RedisUrl
from stockyard.cli.targets import find
from stockyard.config import Settings, read_environment
from stockyard.errors import ConfigError
from stockyard.topology import Topology

PLATFORM = "stockyard.trading:PLATFORM"
"""The trading platform's topology: what commands show unless --app or STOCKYARD_APP names another."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the queues are declared and where they live.

    Attributes:
        app: MODULE:ATTR of an App or a Topology; wins over ``STOCKYARD_APP`` of the environment or ``.env``.
        redis_url: wins over the App's own server.
        prefix: wins over the App's own prefix.
    """

    app: Annotated[
        str | None,
        Parameter(
            name="--app",
            group=WHERE,
            help="MODULE:ATTR of an App or a Topology. Defaults to $STOCKYARD_APP, else the trading platform's.",
        ),
    ] = None
    redis_url: RedisUrl = None
    prefix: Prefix = None

    def topology(self) -> Topology:
        """Return the declared queues.

        Raises:
            ConfigError: ``app`` names neither an App nor a Topology.
        """
        found = self._found()
        topology = found.topology if isinstance(found, App) else found
        about(f"{topology.name}  {self.target}")
        return topology

    def settings(self) -> Settings:
        """Return the settings of the App to use; asks no server.

        Raises:
            ConfigError: a setting is wrong.
        """
        return bound(self._found(), self.redis_url, self.prefix).settings

    def open(self) -> App:
        """Return the App to use; the caller closes it.

        Raises:
            ConfigError: ``app`` names neither an App nor a Topology, or a setting is wrong.
        """
        app = bound(self._found(), self.redis_url, self.prefix)
        about(self.heading(app))
        return app

    @property
    def target(self) -> str:
        """What names the App: ``--app``, else ``STOCKYARD_APP``, else the trading platform's."""
        return self.app or read_environment().get("STOCKYARD_APP") or PLATFORM

    def heading(self, app: App) -> str:
        """Return one line that names an App, where it was found, its server and its prefix."""
        settings = app.settings
        return f"{app.topology.name}  {self.target}  {settings.address}  prefix {settings.prefix}"

    def _found(self) -> App | Topology:
        target = self.target
        found = find(target)
        if isinstance(found, App | Topology):
            return found
        given = "--app" if self.app else "STOCKYARD_APP"
        raise ConfigError(f"{target!r} is a {type(found).__name__}; {given} expects an App or a Topology")


DEFAULT = Connection()
"""The platform on the server of the environment."""


def bound(found: App | Topology, redis_url: str | None, prefix: str | None) -> App:
    """Return an App on the server that was asked for; an App that says so itself keeps what was not asked for."""
    if isinstance(found, Topology):
        return App(found, redis_url, prefix=prefix)
    if redis_url is None and prefix is None:
        return found
    asked = Settings.load(redis_url, prefix=prefix)
    settings = found.settings
    if redis_url is not None:
        settings = replace(settings, address=asked.address)
    if prefix is not None:
        settings = replace(settings, prefix=asked.prefix)
    return App(found.topology, settings=settings)

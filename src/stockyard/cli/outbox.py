"""`stockyard outbox`: relay the jobs of an outbox, see what it holds, and its tables for a migration."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard._logging import LogFormat, configure_logging
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, say, seconds, show_facts, show_json, show_table, when
from stockyard.cli.metrics_port import MetricsPort
from stockyard.cli.options import AsJson, Endpoint, Span, host_and_port
from stockyard.config import read_environment
from stockyard.errors import ConfigError
from stockyard.model.masking import mask_secrets
from stockyard.observe.app_monitor import metrics_server
from stockyard.topology import Topology

if TYPE_CHECKING:
    from stockyard.outbox import Outbox, OutboxStatus, RelayOptions
    from stockyard.outbox.database import Database

_log = logging.getLogger(__name__)
T = TypeVar("T")

outbox = Command(name="outbox", help="Relay the jobs of an outbox in your database, and see what it holds.")

DatabaseUrl = Annotated[
    str | None,
    Parameter(
        name="--database",
        help="postgresql://… or sqlite:///…. Defaults to $STOCKYARD_OUTBOX_DATABASE, where a password belongs.",
    ),
]
TableName = Annotated[str, Parameter(name="--table", help="The outbox's table.")]
TABLE = "stockyard_outbox"


@outbox.command
async def relay(
    *,
    database: DatabaseUrl = None,
    table: TableName = TABLE,
    poll: Span = None,
    batch: int | None = None,
    max_waiting: int | None = None,
    keep: Span = None,
    attempts: int | None = None,
    metrics_port: Endpoint = None,
    log_format: LogFormat | None = None,
    connection: Connection = DEFAULT,
) -> None:
    """Relay committed jobs to their queues until SIGTERM or Ctrl-C. Any number may run; one at a time leads.

    Args:
        poll: pause between two looks at a table that has nothing new; 500ms by default.
        batch: rows that one look reads; 500 by default.
        max_waiting: jobs that may wait in a queue before it gets no more; 10000 by default, 0 is no limit.
        keep: how long rows of relayed jobs stay; deleted at once by default.
        attempts: how often a queue may refuse a job before its row is marked as failed; 5 by default.
        metrics_port: [HOST:]PORT that answers /metrics, /live and /ready; none by default.
        log_format: text or json; text by default.
    """
    configure_logging(log_format or "text", force=log_format is not None)
    options: RelayOptions = {}
    if poll is not None:
        options["poll"] = poll
    if batch is not None:
        options["batch"] = batch
    if max_waiting is not None:
        options["max_waiting"] = max_waiting or None
    if keep is not None:
        options["keep"] = keep
    if attempts is not None:
        options["attempts"] = attempts
    url = _url(database)
    async with connection.open() as app:
        relay = _package().OutboxRelay(app, url, _outbox(connection, table), **options)
        _log.info("relaying %s to %s", table, app.url)
        async with AsyncExitStack() as ending:
            if metrics_port is not None:
                host, port = host_and_port(metrics_port)
                served = MetricsPort(partial(metrics_server, [app.monitor], host=host, port=port))
                served.open()
                ending.push_async_callback(served.close)
            await relay.run()


@outbox.command
async def status(
    *,
    database: DatabaseUrl = None,
    table: TableName = TABLE,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> int:
    """Show how many jobs wait, for how long, and what failed; the exit status is 1 when a job failed or the relay
    cannot go on, else 0."""
    seen = await _on(database, _outbox(connection, table), lambda opened, outbox: opened.run(outbox.rows.status))
    if json:
        show_json(seen)
    else:
        _show(seen)
    return 1 if seen.failed or seen.error else 0


@outbox.command
async def retry(
    *sequences: int,
    database: DatabaseUrl = None,
    table: TableName = TABLE,
    connection: Connection = DEFAULT,
) -> None:
    """Let failed jobs be relayed again.

    Args:
        sequences: of their rows, as `status` shows them. Defaults to all.
    """
    again = await _on(
        database,
        _outbox(connection, table),
        lambda opened, outbox: opened.run(lambda dialect: outbox.rows.retry(dialect, sequences)),
    )
    say(f"{again} to be relayed again")


@outbox.command
def ddl(dialect: Literal["postgresql", "sqlite"], /, *, table: TableName = TABLE, inbox: bool = False) -> None:
    """Print the statements that make the tables, for a migration.

    Args:
        dialect: postgresql or sqlite.
        inbox: print those of the inbox stockyard_inbox as well.
    """
    package = _package()
    print(package.Outbox(Topology("none"), table).ddl(dialect), end="")
    if inbox:
        print(package.Inbox().ddl(dialect), end="")


def _outbox(connection: Connection, table: str) -> Outbox:
    made: Outbox = _package().Outbox(connection.topology(), table)
    return made


def _package() -> Any:
    """Return ``stockyard.outbox``; a missing extra is one message."""
    from stockyard import outbox as package

    try:
        package.Outbox  # noqa: B018, it is imported when it is first used
    except ImportError as error:
        raise ConfigError(str(error)) from error
    return package


def _url(given: str | None) -> str:
    url = given or read_environment().get("STOCKYARD_OUTBOX_DATABASE")
    if url is None:
        raise ConfigError(
            "no database is named: use --database URL, or STOCKYARD_OUTBOX_DATABASE of the environment"
        )
    return url


async def _on(url: str | None, outbox: Outbox, ask: Callable[[Database, Outbox], Awaitable[T]]) -> T:
    """Ask a database, whose own errors become one message."""
    from sqlalchemy.exc import SQLAlchemyError

    from stockyard.outbox.database import Database

    opened = Database(_url(url))
    try:
        return await ask(opened, outbox)
    except SQLAlchemyError as error:
        reason: Any = getattr(error, "orig", None) or error
        raise ConfigError(f"the outbox's database refused: {mask_secrets(str(reason).strip())}") from error
    finally:
        await opened.aclose()


def _show(seen: OutboxStatus) -> None:
    age = seen.oldest_age_ms
    show_facts(
        {
            "pending": sum(seen.pending.values()),
            "oldest": None if age is None else seconds(age / 1000),
            "relayed": seen.relayed,
            "failed": seen.failed,
            "leader": seen.leader or "none: no relay runs, or the last one was killed a moment ago",
        }
    )
    if seen.pending:
        show_table(("queue", "pending"), seen.pending.items(), right=["pending"])
    if seen.failures:
        rows = [
            (each.sequence, each.queue, each.name, each.job_id, when(each.failed_at)) for each in seen.failures
        ]
        show_table(("row", "queue", "name", "job", "failed at"), rows, right=["row"])
        for each in seen.failures:
            complain(f"FAILED  row {each.sequence}: {each.error}")
    if seen.error:
        complain(f"ERROR  {seen.error}")

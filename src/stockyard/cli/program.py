"""The command as a whole: its nouns, and where errors become one message and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from stockyard._logging import TextFormatter
from stockyard.cli.alerts import alerts
from stockyard.cli.bench import bench
from stockyard.cli.cache import cache
from stockyard.cli.channel import channel
from stockyard.cli.demo import demo
from stockyard.cli.deploy import deploy
from stockyard.cli.display import about, complain
from stockyard.cli.doctor import doctor
from stockyard.cli.health import health
from stockyard.cli.job import job
from stockyard.cli.metrics import metrics
from stockyard.cli.queue import queue
from stockyard.cli.schedule import schedule
from stockyard.cli.scripts import scripts
from stockyard.cli.server import server
from stockyard.cli.top import top
from stockyard.cli.worker import worker
from stockyard.errors import JobFailed, ResultTimeout, StockyardError
from stockyard.model.masking import mask_secrets

NEGATIVE, MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit statuses beside 0: an answer that is no, a command that cannot be done, Ctrl-C."""

program = App(
    name="stockyard",
    help="Job queues on BullMQ's Redis protocol. Every command has --help.",
    help_epilogue="Exit status: 0 done, 1 the answer is no (alerts, a failed job), 2 a mistake or no server.",
    help_format="plaintext",
    default_parameter=Parameter(negative="", show_default=False),
    version=version("stockyard"),
)
for command in (
    worker,
    demo,
    health,
    top,
    alerts,
    metrics,
    doctor,
    bench,
    queue,
    job,
    schedule,
    server,
    cache,
    channel,
    scripts,
    deploy,
):
    program.command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: what follows the command's name. Defaults to those of the process.
    """
    about("")
    if logging.lastResort is not None:
        # What a command logs without a logging of its own reaches the terminal by this handler.
        logging.lastResort.setFormatter(TextFormatter())
    try:
        return int(
            program(
                sys.argv[1:] if arguments is None else list(arguments),
                exit_on_error=False,
                print_error=False,
                result_action="return_int_as_exit_code_else_zero",
            )
        )
    except (JobFailed, ResultTimeout) as error:
        return _complain(error, NEGATIVE)
    except UnusedCliTokensError as error:
        return _complain(f"there is no place for {' '.join(error.unused_tokens or ())!r}; see --help", MISTAKE)
    except (StockyardError, CycloptsError) as error:
        return _complain(error, MISTAKE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`| head`); what is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NEGATIVE


def _complain(error: object, status: int) -> int:
    # A mistake on the command line is quoted, and may be a URL in the wrong place.
    complain(f"stockyard: {mask_secrets(str(error))}")
    return status

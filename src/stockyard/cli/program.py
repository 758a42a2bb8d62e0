"""The command as a whole: its nouns, and where errors become one message and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from stockyard._logging import TextFormatter
from stockyard.cli.display import about, complain
from stockyard.errors import JobFailed, ResultTimeout, StockyardError, UnknownQueue
from stockyard.model.masking import mask_secrets

NEGATIVE, MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit statuses beside 0: an answer that is no, a command that cannot be done, Ctrl-C."""

program = App(
    name="stockyard",
    help="Job queues on BullMQ's Redis protocol. Every command has --help.",
    help_epilogue="Exit status: 0 done, 1 the answer is no (alerts, a failed job), 2 a mistake or no server.",
    help_format="plaintext",
    default_parameter=Parameter(negative="", show_default=False),
    version=lambda: version("stockyard"),
)
COMMANDS: dict[str, str] = {
    "worker": "Run workers until SIGTERM or Ctrl-C (a second one requeues running jobs at once), or list them.",
    "demo": "Replay real candles through the platform's queues; without a server it starts one.",
    "health": (
        "Show queues and alerts, by every rule and the thresholds of STOCKYARD_ALERT_*; the exit "
        "status is 0 when no rule holds and every key can be read, else 1."
    ),
    "top": (
        "Watch queues, workers and the longest runs; q or Ctrl-C ends. A pipe gets one frame after "
        "the other, by --json one a line."
    ),
    "alerts": "Watch the queues and the server, and see what fires.",
    "metrics": "List, explain, draw and serve the metrics for Prometheus.",
    "dashboard": "Serve the dashboard for browsers, until stopped. It needs the extra ``dashboard``.",
    "mcp": (
        "Let an assistant read health, jobs and effects by the Model Context Protocol, on standard input and "
        "output. It changes nothing. It needs the extra ``mcp``."
    ),
    "doctor": "Examine the server; the exit status is 1 when something is dangerous, else 0.",
    "bench": "Measure Stockyard; needs a clone of the repository.",
    "queue": "Show the declared queues, watch and count their jobs, pause, limit, clean them.",
    "job": "Add, show, find, list, change, retry or remove jobs, and read their logs.",
    "why": "Show why a job was added: the jobs that led to it, the first cause first.",
    "halt": "Let no job of these queues start and no effect begin, on any worker, until `stockyard resume`.",
    "resume": (
        "End a halt of these queues, and their open circuit breakers; the exit status is 1 if there was none."
    ),
    "halts": "List what is halted, open circuit breakers too.",
    "effect": "List effects that are unknown, show one, and settle it.",
    "key": "List the keys of a queue whose jobs run in order, and let parked ones go on.",
    "schedule": "List, make, change or end recurring jobs, or run one now.",
    "server": "Start, look at or stop the embedded server, Sentinel set or cluster (embedded://).",
    "cache": "Show what the caches hold on the server, and drop it.",
    "channel": "Publish messages on a channel, and see what is published.",
    "limits": "List and show the limits of exchanges, and freeze or thaw them.",
    "outbox": "Relay the jobs of an outbox in your database, and see what it holds.",
    "scripts": "List the Lua scripts, or show one with the line numbers of its errors.",
    "deploy": "List or print the files for servers, users, Docker, Kubernetes, systemd, Prometheus and Grafana.",
}
"""What each command is for, in the words of its module. The module is imported when its command is run: all
of them together take longer to import than most commands to run."""

for _noun, _help in COMMANDS.items():
    program.command(f"stockyard.cli.{_noun}:{_noun}", name=_noun, help=_help)


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
    except UnknownQueue as error:
        return _complain(f"{error}{_of_the_platform(error)}", MISTAKE)
    except (StockyardError, CycloptsError) as error:
        return _complain(error, MISTAKE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`| head`); what is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NEGATIVE


def _of_the_platform(error: UnknownQueue) -> str:
    """Return what to do where the queues are those that a command takes without an App of the user's."""
    # Only a mistake needs it, and it takes long to import.
    from stockyard.trading import PLATFORM

    if set(error.known) != set(PLATFORM.names):
        return ""
    return (
        ". These are the queues of the trading platform: name your App by --app MODULE:ATTR, or once by "
        "STOCKYARD_APP in the environment or in .env"
    )


def _complain(error: object, status: int) -> int:
    # A mistake on the command line is quoted, and may be a URL in the wrong place.
    complain(f"stockyard: {mask_secrets(str(error))}")
    return status

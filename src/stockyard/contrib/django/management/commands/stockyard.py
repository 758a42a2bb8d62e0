"""``manage.py stockyard``: the command ``stockyard`` on the App of this project, with Django's models at hand."""

from __future__ import annotations

import os
import sys

from django.core.management.base import BaseCommand

from stockyard.cli import main

ENTRY = "stockyard.contrib.django.entry:app"


class Command(BaseCommand):
    """Runs any command of ``stockyard``; ``worker`` needs no target."""

    help = "Run a command of Stockyard on the App of STOCKYARD_APP: manage.py stockyard worker --processes 4"

    def run_from_argv(self, argv: list[str]) -> None:
        """Run it; the options are Stockyard's own, so Django reads none of them.

        Args:
            argv: ``manage.py``, ``stockyard``, and what follows.
        """
        arguments = argv[2:]
        # For this process and those that it starts.
        os.environ["STOCKYARD_APP"] = ENTRY
        if arguments[:1] == ["worker"] and arguments[1:2] != ["list"]:
            arguments.insert(1, ENTRY)
        if status := main(arguments):
            sys.exit(status)

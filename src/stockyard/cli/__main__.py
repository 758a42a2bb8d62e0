"""Lets `python -m stockyard.cli` be the command `stockyard`."""

import sys

from stockyard.cli.program import main

if __name__ == "__main__":
    sys.exit(main())

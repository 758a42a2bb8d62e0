"""Lets `python -m stockyard` be the command `stockyard`."""

import sys

from stockyard.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""The rows, one file per topic; `ROWS` names what can be measured, in the order of the table."""

from benchmarks.rows.catalogue import ROWS

__all__ = [
    "ROWS",
]

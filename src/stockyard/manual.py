"""A manual worker takes jobs when a program asks for them, and the program ends them by hand."""

from stockyard.consume.manual.manual_worker import ManualWorker
from stockyard.consume.manual.options import ManualOptions
from stockyard.consume.manual.taken_job import TakenJob

__all__ = ["ManualOptions", "ManualWorker", "TakenJob"]

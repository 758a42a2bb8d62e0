"""Jobs that a program takes and ends by hand, without a worker."""

from stockyard.consume.manual.manual_worker import ManualWorker
from stockyard.consume.manual.options import ManualOptions
from stockyard.consume.manual.taken_job import TakenJob

__all__ = ["ManualOptions", "ManualWorker", "TakenJob"]

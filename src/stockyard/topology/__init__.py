"""Declared queues, checked and without I/O."""

from stockyard.topology.queue_options import QueueOptions
from stockyard.topology.queue_spec import QueueSpec
from stockyard.topology.rate import Rate
from stockyard.topology.router import Router
from stockyard.topology.topology import LifespanFactory, Topology

__all__ = [
    "LifespanFactory",
    "QueueOptions",
    "QueueSpec",
    "Rate",
    "Router",
    "Topology",
]

"""Declared queues, checked and without I/O."""

from stockyard.model.coalesce import Coalesce
from stockyard.topology.queue_options import QueueOptions
from stockyard.topology.queue_spec import QueueSpec
from stockyard.topology.rate import Rate
from stockyard.topology.router import Router
from stockyard.topology.topology import LifespanFactory, Topology

__all__ = [
    "Coalesce",
    "LifespanFactory",
    "QueueOptions",
    "QueueSpec",
    "Rate",
    "Router",
    "Topology",
]

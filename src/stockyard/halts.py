"""Halts, which have an audit, and circuit breakers stop queues."""

from stockyard.model.breaker import Breaker
from stockyard.model.halt import Halt, HaltChange

__all__ = ["Breaker", "Halt", "HaltChange"]

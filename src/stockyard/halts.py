"""What stops queues: halts with their audit, and circuit breakers."""

from stockyard.model.breaker import Breaker
from stockyard.model.halt import Halt, HaltChange

__all__ = ["Breaker", "Halt", "HaltChange"]

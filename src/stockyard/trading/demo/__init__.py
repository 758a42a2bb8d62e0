"""The platform's main job: real candles through all seven queues, with a paper exchange."""

from stockyard.trading.demo.demo import run_demo
from stockyard.trading.demo.options import DemoOptions

__all__ = [
    "DemoOptions",
    "run_demo",
]

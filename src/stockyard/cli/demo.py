"""`stockyard demo`: the platform's main job, from a fill to a position, on a real server."""

from __future__ import annotations

from stockyard.cli.options import AsJson, RedisUrl


def demo(
    *,
    speed: float = 1.0,
    symbols: int = 5,
    inject_failures: bool = False,
    redis_url: RedisUrl = None,
    json: AsJson = False,
) -> int:
    """Run the trading platform's queues for a short while; without a server it starts one.

    Args:
        speed: factor of the pace, 1 by default.
        symbols: how many are traded, 5 by default.
        inject_failures: let some jobs fail and be retried.
    """
    from stockyard.trading.demo import DemoOptions, run_demo

    return run_demo(
        DemoOptions(speed=speed, symbols=symbols, inject_failures=inject_failures, redis_url=redis_url, json=json)
    )

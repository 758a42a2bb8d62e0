"""`stockyard demo`: the trading platform at work, from a candle to a position, on a real server."""

from __future__ import annotations

from dataclasses import replace

from stockyard.cli.dashboard_server import DashboardServer
from stockyard.cli.options import AsJson, Endpoint, RedisUrl
from stockyard.errors import InvalidOption

_WATCHED_SPEED = 5.0
"""Candles a second and symbol, where people watch."""


def demo(
    *,
    speed: float | None = None,
    symbols: tuple[str, ...] = (),
    inject_failures: bool = False,
    seed: int = 1,
    cluster: int = 0,
    dashboard: bool = False,
    listen: Endpoint = None,
    redis_url: RedisUrl = None,
    json: AsJson = False,
) -> int:
    """Replay real candles through the platform's queues; without a server it starts one.

    Args:
        speed: candles per second and symbol; as fast as possible by default.
        symbols: which are replayed; all by default.
        inject_failures: let handlers fail and processes die; nothing may be lost.
        seed: decides which runs fail, 1 by default.
        cluster: run on an embedded cluster of so many primaries, each with a replica, and kill one of them in the
            middle.
        dashboard: serve the dashboard beside it, and replay the candles again and again, at a speed of 5 unless
            you say otherwise, until Ctrl-C. It needs the extra ``dashboard``.
        listen: [HOST:]PORT of the dashboard; 8400 by default, on this machine alone.
    """
    # Imported here: it brings the market data along, which no other command needs.
    from stockyard.trading.demo import DemoOptions, run_demo

    options = DemoOptions(
        speed=speed,
        symbols=symbols,
        redis_url=redis_url,
        inject_failures=inject_failures,
        json=json,
        seed=seed,
        cluster=cluster,
        is_endless=dashboard,
    )
    if not dashboard:
        if listen is not None:
            raise InvalidOption("--listen is where the dashboard listens: give --dashboard, too")
        return run_demo(options)
    server = DashboardServer.checked(listen)
    return run_demo(replace(options, speed=speed or _WATCHED_SPEED), beside=server.beside)

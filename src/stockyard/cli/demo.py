"""`stockyard demo`: the trading platform at work, from a candle to a position, on a real server."""

from __future__ import annotations

from stockyard.cli.options import AsJson, RedisUrl


def demo(
    *,
    speed: float | None = None,
    symbols: tuple[str, ...] = (),
    inject_failures: bool = False,
    seed: int = 1,
    cluster: int = 0,
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
    """
    # Imported here: it brings the market data along, which no other command needs.
    from stockyard.trading.demo import DemoOptions, run_demo

    return run_demo(
        DemoOptions(
            speed=speed,
            symbols=symbols,
            redis_url=redis_url,
            inject_failures=inject_failures,
            json=json,
            seed=seed,
            cluster=cluster,
        )
    )

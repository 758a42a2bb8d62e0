"""Limits as exchanges document them, with where they do; check them against your own account's before you trade.

What an exchange publishes for an account (``exchangeInfo`` of Binance, a tier of Kraken) is put in by
``BINANCE_SPOT.with_most(weight=6000, orders=100)``.
"""

from __future__ import annotations

from stockyard.model.limit import AgeCost, Bucket, Decay, Fixed, Gap, InFlight, Rolling
from stockyard.model.limits import Limits

BINANCE_SPOT = Limits(
    "binance-spot",
    [
        Fixed("weight", 6000, per="1m", scope="ip", used_header="X-MBX-USED-WEIGHT-1M"),
        Fixed("requests", 61_000, per="5m", scope="ip"),
        Fixed("orders", 100, per="10s", scope="account", used_header="X-MBX-ORDER-COUNT-10S"),
        Fixed("orders_day", 200_000, per="1d", scope="account", used_header="X-MBX-ORDER-COUNT-1D"),
    ],
    freeze_scope="ip",
    source="https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#limits",
)
"""Windows are aligned to the clock; weight counts by IP, orders by account over all IPs. Fills give back."""

BYBIT = Limits(
    "bybit",
    [
        Rolling("endpoint", 10, per="1s", scope=("account", "endpoint"), left_header="X-Bapi-Limit-Status"),
        Rolling("requests", 600, per="5s", scope="ip"),
    ],
    freeze_on={403: "10m", 429: "1s"},
    freeze_scope="ip",
    source="https://bybit-exchange.github.io/docs/v5/rate-limit",
)
"""By account and endpoint, 10 to 20 a second by product; 600 in 5 s by IP, and ten minutes of rest after 403."""

KRAKEN = Limits(
    "kraken",
    [
        Decay("rest", 15, per_second=0.33, scope="account"),
        Decay("trading", 60, per_second=1, scope=("account", "pair")),
    ],
    source="https://docs.kraken.com/api/docs/guides/spot-ratelimits",
)
"""Of the lowest tier: a counter for REST by key, and one for orders by pair, shared by REST, WebSocket and FIX."""

KRAKEN_CANCEL = AgeCost({5: 8, 10: 6, 15: 5, 45: 4, 90: 2, 300: 1})
"""What a cancel adds to ``trading`` of ``KRAKEN``, by the age of the order."""

KRAKEN_AMEND = AgeCost({5: 4, 10: 3, 15: 2}, oldest=1)
"""What an amend adds to it: 1, and more for a young order."""

KRAKEN_EDIT = AgeCost({5: 7, 10: 6, 15: 5, 45: 3, 90: 2}, oldest=1)
"""What an edit adds to it: 1, and more for a young order."""

OKX = Limits(
    "okx",
    [
        Rolling("orders", 60, per="2s", scope=("account", "instrument")),
        Rolling("batch", 300, per="2s", scope=("account", "instrument")),
        Rolling("sub_account", 1000, per="2s", scope="account"),
    ],
    source="https://www.okx.com/docs-v5/en/#overview-rate-limits",
)
"""Orders, cancels and amends 60 in 2 s each; orders of batches 300; orders of a sub-account 1000."""

COINBASE_ADVANCED = Limits(
    "coinbase-advanced",
    [Rolling("private", 30, per="1s", scope="account"), Rolling("public", 10, per="1s", scope="ip")],
    source="https://docs.cdp.coinbase.com/advanced-trade/docs/rest-api-rate-limits",
)
"""Advanced Trade: 30 private requests a second by user, 10 public ones by IP."""

COINBASE_PRIME = Limits(
    "coinbase-prime",
    [Rolling("ip", 100, per="1s", scope="ip"), Bucket("portfolio", rate=25, burst=50, scope="portfolio")],
    freeze_on={429: "30s"},
    source="https://docs.cdp.coinbase.com/prime/docs/rate-limits",
)
"""Prime: 100 a second by IP, and 25 a second by portfolio with bursts of 50; half a minute of rest after 429."""

ALPACA = Limits(
    "alpaca",
    [Rolling("requests", 200, per="1m", scope="account", left_header="X-RateLimit-Remaining")],
    source="https://docs.alpaca.markets/docs/usage-limit-api-calls",
)
"""Trading: 200 a minute by account; every reply says what is left."""

INTERACTIVE_BROKERS_HISTORY = Limits(
    "interactive-brokers-history",
    [
        Gap("same_request", "15s", scope=("connection", "request")),
        Rolling("contract", 5, per="2s", scope=("connection", "contract")),
        Rolling("requests", 60, per="10m", scope="connection"),
        InFlight("open", 50, lease="1m", scope="connection"),
    ],
    source="https://interactivebrokers.github.io/tws-api/historical_limitations.html",
)
"""Historical data: no equal request within 15 s; fewer than 6 of one contract and tick type in 2 s; 60 in
ten minutes, of which BID_ASK counts twice; 50 open. Replies have no status: ``freeze`` after error 162."""

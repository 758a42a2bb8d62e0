"""Venues as data: what each does with a second request of the same client order id, and when a query is a proof.

Where a rule is not documented, the safest one stands: nothing is sent twice. The times are added up from what the
venue documents; ``settle`` counts from the effect's deadline, which is to end the request's receive window.
"""

from __future__ import annotations

from stockyard.model.venue import Venue

BINANCE = Venue(
    name="Binance spot",
    dedup="open_orders",
    verify="eventual",
    settle="16s",
    source="https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md",
)
"""``newClientOrderId`` is unique among open orders: a second order is accepted once the first is filled. Settled
after ``recvWindow`` (5 s by default), the engine's time-out (10 s) and 1 s of skew; 5xx, -1006 and -1007 are
unknown."""

BYBIT = Venue(
    name="Bybit",
    dedup="forever",
    verify="eventual",
    settle="11s",
    source="https://bybit-exchange.github.io/docs/v5/order/create-order",
)
"""``orderLinkId`` is always unique, up to 36 characters. The reply only acknowledges; the last 500 closed orders
can be queried. Settled after ``recv_window`` (5 s by default), as long again for the book, and 1 s of skew."""

KRAKEN = Venue(
    name="Kraken spot",
    dedup="open_orders",
    verify="eventual",
    settle="61s",
    source="https://docs.kraken.com/api/docs/guides/spot-clordid",
)
"""``cl_ord_id`` is unique among a client's open orders: a UUID, or at most 18 characters (``order_uuid``). Settled
after the longest ``deadline`` that a request may carry (60 s) and 1 s of skew."""

OKX = Venue(
    name="OKX",
    dedup="open_orders",
    verify="eventual",
    settle="31s",
    source="https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order",
)
"""A second order of a ``clOrdId`` that is in use is refused (51016). One id may belong to several orders, of
which a query shows the latest: it is not unique for ever, and nothing is sent twice. Send ``expTime``: the
deadline; 30 s for a request under way and 1 s of skew are an assumption."""

COINBASE = Venue(
    name="Coinbase Advanced Trade",
    dedup="never",
    verify="eventual",
    settle="31s",
    source="https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order",
)
"""A second request with a ``client_order_id`` that was used creates no order, and is answered with the first one.
For how long is not documented: nothing is sent twice, unless you declare a window that you trust. 30 s for a
request under way, which has no receive window, and 1 s of skew are an assumption. The list of orders cannot be
asked for an id: look for it there."""

ALPACA = Venue(
    name="Alpaca",
    dedup="never",
    verify="eventual",
    settle="31s",
    source="https://docs.alpaca.markets/reference/postorder",
)
"""A second order of a ``client_order_id`` is refused (422, 40010001), also after the first was cancelled. For how
long is not documented: nothing is sent twice. The request has no receive window; 30 s for one under way and 1 s of
skew are an assumption."""

INTERACTIVE_BROKERS = Venue(
    name="Interactive Brokers",
    dedup="never",
    source="https://interactivebrokers.github.io/tws-api/order_submission.html",
)
"""Order ids belong to a connection, and a second order of the same id changes the first: nothing is sent twice,
and a query proves nothing by itself. Settle by executions (``reqExecutions``) and by people."""

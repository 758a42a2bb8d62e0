"""A middleware for aiohttp's client that takes limits before each request and observes each reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import ClientConnectorError, ClientHandlerType, ClientRequest, ClientResponse

from stockyard.limits.open_limits import OpenLimits
from stockyard.limits.usage import Usage

Middleware = Callable[[ClientRequest, ClientHandlerType], Awaitable[ClientResponse]]
"""What ``aiohttp.ClientSession(middlewares=...)`` takes, from aiohttp 3.12 on."""


def limit_requests(limits: OpenLimits, *, usage: Callable[[ClientRequest], Usage | None]) -> Middleware:
    """Return a middleware that sends each request when its limits admit it, and observes the reply.

    A request that was certainly never sent gives back what it cost. A session's middleware runs once for each
    redirect, too.

    Args:
        limits: those of the exchange.
        usage: says what a request uses; None for one that no limit concerns.

    Example:
        hook = limit_requests(limits, usage=lambda request: Usage({"weight": 1}))
        async with aiohttp.ClientSession(middlewares=(hook,)) as session: ...
    """

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        used = usage(request)
        if used is None:
            return await handler(request)
        async with limits.take(used.cost, scope=used.scope, lane=used.lane) as call:
            try:
                response = await handler(request)
            except ClientConnectorError:
                await call.settle("never_sent")
                raise
            await call.observe(response.headers, status=response.status)
            return response

    return middleware

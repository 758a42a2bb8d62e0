"""Transports for httpx, which you install: they take limits before each request, and observe each reply."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from stockyard.limits.open_limits import OpenLimits
from stockyard.limits.usage import Usage

UsageOf = Callable[[httpx.Request], Usage | None]
"""Says what a request uses; None for one that no limit concerns."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class LimitedTransport(httpx.AsyncBaseTransport):
    """Sends each request of an ``httpx.AsyncClient`` when its limits admit it, and observes the reply.

    A request that was certainly never sent gives back what it cost.

    Args:
        limits: those of the exchange.
        usage: says what a request uses; None for one that no limit concerns.
        transport: sends the requests. Defaults to httpx's own.

    Raises:
        LimitReached, InvalidOption, ServerError: those of ``OpenLimits.take``, out of the client's methods.

    Example:
        transport = LimitedTransport(limits, usage=lambda request: Usage({"weight": 1}))
        async with httpx.AsyncClient(transport=transport) as client: ...
    """

    def __init__(
        self, limits: OpenLimits, *, usage: UsageOf, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._limits = limits
        self._usage = usage
        self._transport = transport or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request within its limits."""
        usage = self._usage(request)
        if usage is None:
            return await self._transport.handle_async_request(request)
        async with self._limits.take(usage.cost, scope=usage.scope, lane=usage.lane) as call:
            try:
                response = await self._transport.handle_async_request(request)
            except _NEVER_SENT:
                await call.settle("never_sent")
                raise
            await call.observe(response.headers, status=response.status_code)
            return response

    async def aclose(self) -> None:
        """Close the transport that sends."""
        await self._transport.aclose()


class BlockingLimitedTransport(httpx.BaseTransport):
    """The same for ``httpx.Client``, in code without a running loop.

    Args:
        limits, usage: those of ``LimitedTransport``.
        transport: sends the requests. Defaults to httpx's own.
    """

    def __init__(
        self, limits: OpenLimits, *, usage: UsageOf, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._limits = limits
        self._usage = usage
        self._transport = transport or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request within its limits."""
        usage = self._usage(request)
        if usage is None:
            return self._transport.handle_request(request)
        with self._limits.take(usage.cost, scope=usage.scope, lane=usage.lane).sync as call:
            try:
                response = self._transport.handle_request(request)
            except _NEVER_SENT:
                call.settle("never_sent")
                raise
            call.observe(response.headers, status=response.status_code)
            return response

    def close(self) -> None:
        """Close the transport that sends."""
        self._transport.close()

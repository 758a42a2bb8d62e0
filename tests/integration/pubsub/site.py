"""A site that tells two channels, as one writes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route

from stockyard import App, Topology
from stockyard.pubsub.sse import endpoint
from tests.integration.pubsub.channels import FILLS, PRICES

app = App(Topology("site"))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with app:
        yield


site = Starlette(
    routes=[Route(f"/{each.name}", endpoint(app.channel(each))) for each in (PRICES, FILLS)], lifespan=lifespan
)

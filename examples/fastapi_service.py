"""An HTTP service with its worker in the same process.

uvicorn examples.fastapi_service:api

POST /orders                 add a job; 202 with its id, 422 for an order or an id that is none
GET  /orders/{id}            its state and result; 404 for an unknown id
GET  /fills                  a stream of server-sent events; /fills/socket is a WebSocket of the same messages
GET  /ready                  200 once the worker takes jobs, else 503
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.routing import Route, WebSocketRoute

from stockyard import App, Channel, InvalidOption, Job, Queue, ServerError, Topology, Worker
from stockyard.pubsub.sse import endpoint


class Order(BaseModel):
    symbol: str
    quantity: int = Field(gt=0)


class Fill(BaseModel):
    order: str
    symbol: str
    quantity: int


FILLS = Channel("fills", Fill)
shop = Topology("shop")
orders = shop.queue("orders", concurrency=10, attempts=3, backoff="1s", remove_on_complete=1_000)
# Connections open at the first call, so that the module can be imported while no server runs.
app = App(shop)


@orders.handler("submit")
async def submit(job: Job[Order]) -> Fill:
    fill = Fill(order=job.id, symbol=job.data.symbol, quantity=job.data.quantity)
    await app.channel(FILLS).publish(fill)
    return fill


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncIterator[None]:
    async with app:
        # It waits for a server that is away, and leaves SIGTERM to uvicorn.
        worker = api.state.worker = app.worker("orders")
        running = asyncio.create_task(worker.run())
        yield
        await worker.stop(grace="1s")
        await running


api = FastAPI(
    lifespan=lifespan,
    routes=[
        Route("/fills", endpoint(app.channel(FILLS))),
        WebSocketRoute("/fills/socket", endpoint(app.channel(FILLS))),
    ],
)


def order_queue() -> Queue:
    """Return the queue; a dependency, so that tests can give another."""
    return app.queue("orders")


Orders = Annotated[Queue, Depends(order_queue)]
OrderId = Annotated[str, Query(default_factory=lambda: uuid4().hex)]


@api.exception_handler(ServerError)
async def server_is_away(request: Request, error: ServerError) -> JSONResponse:
    """Answer 503: a client may try again; under the same job id nothing is added twice."""
    return JSONResponse({"detail": "the job server cannot be reached"}, 503, {"Retry-After": "2"})


@api.exception_handler(InvalidOption)
async def option_is_wrong(request: Request, error: InvalidOption) -> JSONResponse:
    """Answer 422: the id of the order is empty, a number, or has a colon."""
    return JSONResponse({"detail": str(error)}, 422)


@api.post("/orders", status_code=202)
async def add_order(order: Order, queue: Orders, order_id: OrderId) -> dict[str, str]:
    job = await queue.add("submit", order, job_id=order_id)
    return {"id": job.id}


@api.get("/orders/{order_id}")
async def show_order(order_id: str, queue: Orders) -> dict[str, Any]:
    job = await queue.get_job(order_id)
    if job is None:
        raise HTTPException(404, f"no order {order_id}")
    return {"id": job.id, "state": await job.state(), "fill": job.return_value}


@api.get("/ready")
async def ready(request: Request) -> dict[str, bool]:
    worker: Worker = request.app.state.worker
    if not worker.ready.is_set() or not worker.is_running:
        raise HTTPException(503, "the worker does not take jobs")
    return {"ready": True}

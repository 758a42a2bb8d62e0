"""The queues of the project and their handlers."""

from typing import Any

from stockyard import App, Job, Topology
from stockyard.contrib.django import fresh_connections
from stockyard.contrib.django.tasks import serve_tasks
from stockyard.outbox import Outbox

shop = Topology("shop")
orders = shop.queue("orders", attempts=3, backoff="1s")
# Django's tasks run on this queue, with its attempts.
default = shop.queue("default", attempts=2, backoff="10ms")
serve_tasks(default)
outbox = Outbox(shop)
# Connections open at the first call, so that the module can be imported while no server runs.
app = App(shop)


@orders.handler
@fresh_connections
def submit(job: Job[dict[str, Any]]) -> str:
    """Submit an order; a plain function, so that it runs in a thread, where Django's models may be used."""
    from examples.django_shop.models import Order  # models exist once Django is set up

    order = Order.objects.get(pk=job.data["order"])
    order.status = "submitted"
    order.save(update_fields=["status"])
    return f"{order.quantity} {order.symbol}"

"""Views that add jobs; none of them waits for a job to end."""

import json
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from examples.django_shop.models import Order
from examples.django_shop.queues import outbox
from examples.django_shop.tasks import total

from stockyard import ServerError
from stockyard.contrib.django import add_on_commit, outbox_connection


class ServerAway:
    """Middleware that answers 503 when a job cannot be added."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for errors of the job server; leave others to Django."""
        if not isinstance(error, ServerError):
            return None
        return JsonResponse(
            {"detail": "the job server cannot be reached"}, status=503, headers={"Retry-After": "2"}
        )


def add_order(request: HttpRequest) -> HttpResponse:
    """Store an order; its job is added once the transaction is committed."""
    with transaction.atomic():
        order = Order.objects.create(**json.loads(request.body))
        add_on_commit("orders", "submit", {"order": order.pk}, job_id=f"order-{order.pk}")
    return JsonResponse({"id": order.pk}, status=202)


def add_order_by_outbox(request: HttpRequest) -> HttpResponse:
    """Store an order and its job in one transaction; a relay adds the job, also if the server is away now."""
    with transaction.atomic():
        order = Order.objects.create(**json.loads(request.body))
        outbox.add(outbox_connection(), "orders", "submit", {"order": order.pk})
    return JsonResponse({"id": order.pk}, status=202)


def show_order(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what became of an order."""
    order = get_object_or_404(Order, pk=pk)
    return JsonResponse({"id": order.pk, "status": order.status})


def add_total(request: HttpRequest) -> HttpResponse:
    """Enqueue a task of Django's."""
    return JsonResponse({"result": total.enqueue(json.loads(request.body)).id}, status=202)


def show_result(request: HttpRequest, result_id: str) -> HttpResponse:
    """Show the result of a task."""
    result = total.get_result(result_id)
    value = result.return_value if result.status == "SUCCESSFUL" else None
    return JsonResponse({"status": result.status, "value": value})

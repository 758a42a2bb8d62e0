"""Where the views are."""

from django.urls import path
from examples.django_shop import views

urlpatterns = [
    path("orders/", views.add_order),
    path("orders/<int:pk>/", views.show_order),
    path("safe-orders/", views.add_order_by_outbox),
    path("totals/", views.add_total),
    path("results/<path:result_id>/", views.show_result),
]

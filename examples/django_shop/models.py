"""What the shop stores."""

from django.db import models


class Order(models.Model):
    """An order, and what became of it."""

    symbol = models.CharField(max_length=20)
    quantity = models.PositiveIntegerField()
    status = models.CharField(max_length=20, default="new")

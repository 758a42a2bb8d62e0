"""What ``INSTALLED_APPS`` names: ``"stockyard.contrib.django"``."""

from __future__ import annotations

from django.apps import AppConfig


class StockyardConfig(AppConfig):
    """The app, which brings the command ``manage.py stockyard``."""

    name = "stockyard.contrib.django"
    label = "stockyard"
    verbose_name = "Stockyard"

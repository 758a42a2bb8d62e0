"""Finds the App of a Django project, by its settings."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from stockyard.app import App

_SETTING = "STOCKYARD_APP"


def project_app() -> App:
    """Return the App that the setting ``STOCKYARD_APP`` names, as in ``"shop.queues:app"``.

    Raises:
        ImproperlyConfigured: the setting is missing, or names no App.
    """
    target = getattr(settings, _SETTING, None)
    if not isinstance(target, str) or ":" not in target:
        raise ImproperlyConfigured(
            f"set {_SETTING} to MODULE:ATTR of an App, as in 'shop.queues:app'; got {target!r}"
        )
    try:
        found = import_string(target.replace(":", "."))
    except ImportError as error:
        raise ImproperlyConfigured(f"{_SETTING} is {target!r}: {error}") from error
    if not isinstance(found, App):
        raise ImproperlyConfigured(f"{_SETTING} is {target!r}, which is no App but {type(found).__name__}")
    return found

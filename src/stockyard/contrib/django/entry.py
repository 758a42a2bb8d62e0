"""The App of a Django project, for processes that Django did not start: ``stockyard.contrib.django.entry:app``."""

from __future__ import annotations

import django
from django.apps import apps

from stockyard.contrib.django.project import project_app

if not apps.ready:
    django.setup()

app = project_app()

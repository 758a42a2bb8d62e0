"""Settings of the project; of Stockyard are one app, one name, and the backend of tasks."""

import os
from pathlib import Path

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "of an example")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
INSTALLED_APPS = ["stockyard.contrib.django", "examples.django_shop"]
MIDDLEWARE = ["examples.django_shop.views.ServerAway"]
ROOT_URLCONF = "examples.django_shop.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", str(Path(__file__).parent / "shop.sqlite3")),
    }
}

STOCKYARD_APP = "examples.django_shop.queues:app"
TASKS = {"default": {"BACKEND": "stockyard.contrib.django.tasks.StockyardBackend", "QUEUES": ["default"]}}

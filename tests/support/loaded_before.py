"""A handler whose module notes what was imported before it; it imports nothing of Stockyard itself."""

import sys
from typing import Any

APP_WAS_LOADED = "stockyard.app.app" in sys.modules


def tell(job: Any) -> bool:
    return APP_WAS_LOADED

"""Caches keep answers on the server: computed once, remembered for a while, and shared by all processes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.cache.cache import Cache
    from stockyard.cache.memo import Memo
    from stockyard.cache.options import CacheOptions
    from stockyard.cache.stats import CacheStats, CacheUsage
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.cache.cache": "Cache",
            "stockyard.cache.memo": "Memo",
            "stockyard.cache.options": "CacheOptions",
            "stockyard.cache.stats": "CacheStats CacheUsage",
        },
    )

__all__ = [
    "Cache",
    "CacheOptions",
    "CacheStats",
    "CacheUsage",
    "Memo",
]

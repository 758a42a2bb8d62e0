"""Caches on the server: answers that are remembered for a while, computed once, and shared by all processes."""

from stockyard.cache.cache import Cache
from stockyard.cache.memo import Memo
from stockyard.cache.options import CacheOptions
from stockyard.cache.stats import CacheStats, CacheUsage

__all__ = ["Cache", "CacheOptions", "CacheStats", "CacheUsage", "Memo"]

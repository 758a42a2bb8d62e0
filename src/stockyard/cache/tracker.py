"""Keeps a process's copies true: drops what was written elsewhere, and everything when that is not heard of."""

from __future__ import annotations

import logging

from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.caches.caching import CacheKeyspace
from stockyard._store.caches.tracking import Tracking
from stockyard.cache.near import NearCache
from stockyard.errors import ServerError, ServerRefused

_log = logging.getLogger(__name__)


async def track(keyspace: CacheKeyspace, cache: str, near: NearCache) -> None:
    """Serve the copies of one cache until cancelled; they are off while the server is not heard."""
    tracking = Tracking(keyspace, cache)
    retry_delay = RetryDelay()
    logged = ""
    try:
        while True:
            try:
                await tracking.open()
                near.turn_on()
                retry_delay.reset()
                logged = ""
                await _listen(tracking, near)
            except ServerError as error:
                near.turn_off()
                if str(error) != logged:
                    logged = str(error)
                    level = logging.WARNING if isinstance(error, ServerRefused) else logging.INFO
                    _log.log(level, "cache %s keeps no copies in this process for now: %s", cache, error)
                await retry_delay.wait()
    finally:
        near.turn_off()
        await tracking.close()


async def _listen(tracking: Tracking, near: NearCache) -> None:
    while True:
        invalidations = await tracking.hear()
        if invalidations.everything:
            near.turn_on()
        for key in invalidations.entries:
            near.forget(key)
        for tag in invalidations.tags:
            near.forget_tag(tag)

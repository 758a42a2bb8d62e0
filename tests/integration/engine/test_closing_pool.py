"""A pool that is closed while one of its connections is in use: that connection ends with its call."""

from stockyard._store.net.async_pool import AsyncPool
from stockyard.config import Settings


async def test_a_connection_given_back_to_a_closed_pool_is_closed(redis_url: str) -> None:
    pool = AsyncPool(Settings.load(redis_url).address)
    used, _ = await pool.take(5)
    idle, _ = await pool.take(5)
    pool.give_back(idle)
    await pool.close()
    assert not idle.is_open
    assert used.is_open
    pool.give_back(used)
    assert not used.is_open

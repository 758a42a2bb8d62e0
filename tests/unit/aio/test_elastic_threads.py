"""Threads whose functions may wait for each other."""

import asyncio
import threading

import pytest

from stockyard._aio.elastic_threads import ElasticThreads


async def test_no_more_threads_than_usual_while_the_line_moves() -> None:
    threads = ElasticThreads(usual=2, growth_delay=3600)
    names = await asyncio.gather(*(threads.run(threading.get_ident, is_nested=False) for _ in range(50)))
    assert len(set(names)) <= 2


async def test_a_nested_call_runs_at_once() -> None:
    threads = ElasticThreads(usual=1, growth_delay=3600)
    free = threading.Event()
    outer = asyncio.create_task(threads.run(free.wait, is_nested=False))
    await threads.run(free.set, is_nested=True)
    assert await outer


async def test_a_line_that_does_not_move_gets_a_thread() -> None:
    threads = ElasticThreads(usual=1, growth_delay=0.01)
    free = threading.Event()
    outer = asyncio.create_task(threads.run(free.wait, is_nested=False))
    await threads.run(free.set, is_nested=False)
    assert await outer


async def test_errors_come_back_and_stop_iteration_as_an_error_that_a_coroutine_can_raise() -> None:
    threads = ElasticThreads()
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, is_nested=False)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await threads.run(lambda: next(iter([])), is_nested=False)
